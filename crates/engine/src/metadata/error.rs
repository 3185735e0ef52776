//! Why metadata was refused, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why metadata was refused: the key and the reason, with file and line when it came from a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The file at fault, relative to the metadata directory; absent for an API document.
    pub file: Option<PathBuf>,
    /// The line in that file, from 1.
    pub line: Option<usize>,
    /// The key, such as `sources[0].tables[2].select_permissions[0].permission.filter`.
    pub key: String,
    /// What is wrong, in words.
    pub reason: String,
}

impl LoadError {
    /// A fault at a key of the document.
    pub fn at(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { file: None, line: None, key: key.into(), reason: reason.into() }
    }

    /// The same fault with the file and line it stands in.
    pub(crate) fn in_file(mut self, file: &Path, line: Option<usize>) -> Self {
        self.file = Some(file.to_owned());
        self.line = line;
        self
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        if !self.key.is_empty() && self.key != "." {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for LoadError {}
