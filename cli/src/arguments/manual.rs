//! `soquete completions` and `soquete manual`: the arguments once more, for shells and for `man`.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Arguments;
use crate::output::{Failure, print, printed};

/// Prints the completions of a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  soquete completions bash > ~/.local/share/bash-completion/completions/soquete")]
pub(crate) struct Completions {
    shell: Shell,
}

/// Prints a manual page
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  soquete manual config check > page.1 && man ./page.1")]
pub(crate) struct Manual {
    /// The command it is about, and a command of that; the program as a whole where none is named
    command: Vec<String>,
}

impl Completions {
    /// Prints them.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "soquete", &mut script);
        print(String::from_utf8_lossy(&script))
    }
}

impl Manual {
    /// Prints it.
    ///
    /// # Errors
    /// There is no such command, or standard output takes no more.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        let mut program = Arguments::command();
        program.build();
        let mut command = &program;
        for name in &self.command {
            // `help` is explained by --help, and has no page.
            let found = command.find_subcommand(name).filter(|found| found.get_name() != "help");
            command = found.ok_or_else(|| {
                Failure::usage(format!("no command {name:?}")).act("`soquete --help` lists the commands")
            })?;
        }
        let mut page = Vec::new();
        printed(render(command.clone(), &mut page))?;
        print(String::from_utf8_lossy(&page))
    }
}

/// Renders a manual page. What stands behind the help, examples and tables, keeps its lines.
fn render(command: clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let behind = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    let has_help = command.find_subcommand("help").is_some();
    let command = if has_help { command.mut_subcommand("help", |help| help.hide(true)) } else { command };
    let man = clap_mangen::Man::new(command.after_help(None).after_long_help(None));
    man.source(concat!("soquete ", env!("CARGO_PKG_VERSION"))).render(page)?;
    if let Some(behind) = behind {
        writeln!(page, ".SH NOTES\n.nf\n{}\n.fi", behind.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the page of a command and those of the commands that it names; returns how many that were.
    fn check_pages(command: &clap::Command) -> usize {
        let mut page = Vec::new();
        render(command.clone(), &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let name = command.get_display_name().unwrap_or(command.get_name());
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        let lines = |wanted: &str| page.lines().filter(|line| *line == wanted).count();
        assert_eq!(lines(".nf"), lines(".fi"), "{page}");
        let named = command.get_subcommands().filter(|named| named.get_name() != "help");
        let is_named = |named: &&clap::Command| page.contains(&format!("\\-{}(1)\n", named.get_name()));
        1 + named.inspect(|named| assert!(is_named(named), "{page}")).map(check_pages).sum::<usize>()
    }

    #[test]
    fn every_command_has_a_manual_page_that_its_own_names() {
        let mut program = Arguments::command();
        program.build();
        assert!(check_pages(&program) > 20);
    }
}
