//! What the process tells its caller.

use std::process::ExitCode;

use crate::domain::{Code, Error};

/// The exit codes of every command, as `northstack --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The command failed, or the operation that it watched did.
    Failed = 1,
    /// Wrong arguments or input.
    Usage = 2,
    /// Not signed in, or not allowed.
    Denied = 3,
    /// No such object.
    NotFound = 4,
    /// A system that is needed does not answer; the same command may succeed later.
    Unavailable = 5,
    /// Two things that were compared differ, or metadata is inconsistent.
    Different = 6,
    /// Interrupted while it followed something, which goes on.
    Interrupted = 130,
}

/// The exit codes in words, printed at the end of `northstack --help`.
pub const HELP: &str = "Exit codes:
  0  done
  1  the command failed, or the operation that it watched did
  2  wrong arguments or input
  3  not signed in, or not allowed
  4  no such object
  5  a system that is needed does not answer; try again later
  6  differences were found, or metadata is inconsistent
  130  interrupted while it followed something, which goes on";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.code() {
            Code::InvalidInput => Exit::Usage,
            Code::NotFound => Exit::NotFound,
            Code::Unauthenticated | Code::InvalidCredentials | Code::InvalidToken | Code::Forbidden => Exit::Denied,
            Code::Unavailable | Code::Timeout | Code::RateLimited => Exit::Unavailable,
            Code::AlreadyExists
            | Code::Conflict
            | Code::IllegalTransition
            | Code::StoreLimitReached
            | Code::IdempotencyConflict
            | Code::VendorRejected
            | Code::Internal => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_own_exit_code() {
        let exit = |code| Exit::from(&Error::new(code, ""));
        assert_eq!(exit(Code::InvalidToken), Exit::Denied);
        assert_eq!(exit(Code::NotFound), Exit::NotFound);
        assert_eq!(exit(Code::Timeout), Exit::Unavailable);
        assert_eq!(exit(Code::StoreLimitReached), Exit::Failed);
    }

    #[test]
    fn the_help_text_lists_every_exit_code() {
        for code in 0..=6 {
            assert!(HELP.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
