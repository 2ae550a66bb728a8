//! Exit codes, which scripts rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Done, and nothing to complain about.
    Ok,
    /// Something failed that is neither of the others.
    Unknown,
    /// What was compared is not the same.
    Differs,
    /// A comparison failed; 1 would say that it found differences.
    Trouble,
    /// The command line makes no sense.
    Usage,
    /// A file is missing, unreadable or not what it should be.
    BadData,
    /// The command worked, and found problems in what it looked at.
    IssuesFound,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Ok => 0,
            Status::Unknown | Status::Differs => 1,
            Status::Trouble => 2,
            Status::Usage => 64,
            Status::BadData => 65,
            Status::IssuesFound => 79,
        })
    }
}
