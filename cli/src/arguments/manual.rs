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
  soquete manual up > soquete-up.1 && man ./soquete-up.1")]
pub(crate) struct Manual {
    /// The command it is about; the program as a whole where none is named
    command: Option<String>,
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
        let command = match &self.command {
            None => &program,
            Some(name) => program.find_subcommand(name).ok_or_else(|| {
                Failure::usage(format!("no command {name:?}")).act("`soquete --help` lists the commands")
            })?,
        };
        let mut page = Vec::new();
        printed(render(command.clone(), &mut page))?;
        print(String::from_utf8_lossy(&page))
    }
}

/// Renders a manual page. What stands behind the help, examples and tables, keeps its lines.
fn render(command: clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let behind = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    let man = clap_mangen::Man::new(command.after_help(None).after_long_help(None));
    man.render(page)?;
    if let Some(behind) = behind {
        writeln!(page, ".SH NOTES\n.nf\n{}\n.fi", behind.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_manual_page() {
        let mut program = Arguments::command();
        program.build();
        for command in program.get_subcommands() {
            let mut page = Vec::new();
            render(command.clone(), &mut page).unwrap();
            let page = String::from_utf8(page).unwrap();
            assert!(page.contains(&format!(".TH soquete-{} 1", command.get_name())), "{page}");
            assert_eq!(
                page.matches(
                    "
.nf
"
                )
                .count(),
                page.matches(
                    "
.fi
"
                )
                .count()
            );
        }
    }
}
