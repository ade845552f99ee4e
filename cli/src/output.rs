//! What the program prints, and how it ends.
//!
//! What was asked for goes to standard output, errors to standard error: `soquete: what is wrong`, and in a second line
//! what to do, where there is something to do. Who closes our standard output early (`soquete logs | head`) has seen
//! enough, which is no error.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// It is not done, and it is safe to ask again.
    NotDone = 1,
    /// Arguments or configuration are wrong; nothing was begun.
    WrongUsage = 2,
    /// Nobody can say whether it is done.
    Unknown = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command ends early.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Whoever read our output is gone: no error, and nobody to tell.
    ReaderGone,
    /// Something is wrong.
    Wrong {
        /// How the program ends.
        exit: Exit,
        /// What is wrong, at least one; each may have lines below its first that show the place.
        wrong: Vec<String>,
        /// What to do about it.
        act: Option<String>,
    },
}

impl Failure {
    /// Ends the program with the code of `exit`, saying one thing.
    pub(crate) fn new(exit: Exit, wrong: impl fmt::Display) -> Self {
        Self::Wrong { exit, wrong: vec![wrong.to_string()], act: None }
    }

    /// Ends the program for wrong arguments or a wrong configuration.
    pub(crate) fn usage(wrong: impl fmt::Display) -> Self {
        Self::new(Exit::WrongUsage, wrong)
    }

    /// Says what to do about it, in a line of its own.
    pub(crate) fn act(self, what: impl fmt::Display) -> Self {
        match self {
            Self::ReaderGone => self,
            Self::Wrong { exit, wrong, .. } => Self::Wrong { exit, wrong, act: Some(what.to_string()) },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Wrong { wrong, act, .. } = self else { return Ok(()) };
        for wrong in wrong {
            writeln!(f, "soquete: {wrong}")?;
        }
        act.iter().try_for_each(|act| writeln!(f, "{act}"))
    }
}

/// Says something to people beside the output. There is nobody to tell that standard error is gone.
pub(crate) fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "soquete: {text}");
}

/// Prints what came of something that is done: where it cannot be printed, it is done all the same.
///
/// # Errors
/// As [`print`], and the program ends with the code for done.
pub(crate) fn print_done(text: impl fmt::Display) -> Result<(), Failure> {
    print(text).map_err(|failure| match failure {
        Failure::Wrong { wrong, act, .. } => Failure::Wrong {
            exit: Exit::Done,
            wrong: wrong.iter().map(|wrong| format!("it is done, but: {wrong}")).collect(),
            act,
        },
        Failure::ReaderGone => Failure::ReaderGone,
    })
}

/// Prints to standard output and makes sure that it has gone.
///
/// # Errors
/// Nobody reads any more, or the file behind standard output takes no more.
pub(crate) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    print_to(&mut io::stdout().lock(), text)
}

fn print_to(out: &mut impl Write, text: impl fmt::Display) -> Result<(), Failure> {
    printed(write!(out, "{text}").and_then(|()| out.flush()))
}

/// Tells what came of printing to standard output.
///
/// # Errors
/// Nobody reads any more, or the file behind standard output takes no more.
pub(crate) fn printed(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::new(Exit::NotDone, format!("write standard output: {error}")),
    })
}

/// Prints what went wrong, where something did, and returns the code to end with.
pub(crate) fn finish(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return Exit::Done.into() };
    // There is nobody to tell that standard error is gone.
    let _ = write!(io::stderr().lock(), "{failure}");
    match failure {
        Failure::ReaderGone => Exit::Done.into(),
        Failure::Wrong { exit, .. } => exit.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A standard output that fails in one way.
    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_is_no_error() {
        let gone = print_to(&mut Failing(ErrorKind::BrokenPipe), "text").unwrap_err();
        assert_eq!(gone, Failure::ReaderGone);
        assert_eq!(gone.to_string(), "");
    }

    #[test]
    fn a_full_disk_is_one() {
        let full = print_to(&mut Failing(ErrorKind::StorageFull), "text").unwrap_err();
        assert!(full.to_string().starts_with("soquete: write standard output: "));
    }

    #[test]
    fn an_error_says_what_is_wrong_and_then_what_to_do() {
        let failure = Failure::usage("no such file").act("make one");
        assert_eq!(failure.to_string(), "soquete: no such file\nmake one\n");
    }
}
