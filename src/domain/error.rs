//! The one error of the product: a public sentence, a stable code, and an internal cause that no client sees.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The closed list of error codes, as clients see them in `extensions.code` and in REST bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Code {
    /// An argument is missing, malformed or out of range; the error names the field.
    InvalidInput,
    /// No such object, or none that the caller may see.
    NotFound,
    /// An object with that name exists already.
    AlreadyExists,
    /// The object changed meanwhile, or something else holds it.
    Conflict,
    /// The object's status does not allow the act.
    IllegalTransition,
    /// The team has as many active stores as it may have.
    StoreLimitReached,
    /// The idempotency key was used before with another body.
    IdempotencyConflict,
    /// No or invalid credentials.
    Unauthenticated,
    /// E-mail or password is wrong.
    InvalidCredentials,
    /// A token has expired, was revoked or was used before.
    InvalidToken,
    /// The caller's role does not allow the act.
    Forbidden,
    /// Too many requests; try again later.
    RateLimited,
    /// A system that is needed does not answer; try again later.
    Unavailable,
    /// A system that is needed took too long; try again later.
    Timeout,
    /// A vendor refused what it was asked; trying again will not help.
    VendorRejected,
    /// A fault of ours; the log has the cause under the request's correlation id.
    Internal,
}

impl Code {
    /// The code as clients see it, such as `not-found`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The HTTP status of a response that carries the code (RFC 9110).
    pub fn http_status(self) -> u16 {
        match self {
            Code::InvalidInput => 422,
            Code::NotFound => 404,
            Code::AlreadyExists | Code::Conflict | Code::IllegalTransition | Code::IdempotencyConflict => 409,
            Code::StoreLimitReached | Code::RateLimited => 429,
            Code::Unauthenticated | Code::InvalidCredentials | Code::InvalidToken => 401,
            Code::Forbidden => 403,
            Code::Unavailable => 503,
            Code::Timeout => 504,
            Code::VendorRejected => 502,
            Code::Internal => 500,
        }
    }

    /// Whether the same request may succeed later without a change.
    pub fn retryable(self) -> bool {
        match self {
            Code::RateLimited | Code::Unavailable | Code::Timeout | Code::Conflict => true,
            Code::InvalidInput
            | Code::NotFound
            | Code::AlreadyExists
            | Code::IllegalTransition
            | Code::StoreLimitReached
            | Code::IdempotencyConflict
            | Code::Unauthenticated
            | Code::InvalidCredentials
            | Code::InvalidToken
            | Code::Forbidden
            | Code::VendorRejected
            | Code::Internal => false,
        }
    }
}

/// What went wrong, in words for the caller, with the cause kept for the log.
///
/// `Display` gives the public sentence only; the cause is reached by
/// [`std::error::Error::source`] and is logged once, where the error is handled.
#[derive(Debug)]
pub struct Error {
    code: Code,
    message: String,
    field: Option<String>,
    retry_after: Option<Duration>,
    outage: bool,
    patience: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with a sentence that its reader can act on.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            retry_after: None,
            outage: false,
            patience: None,
            source: None,
        }
    }

    /// Bad input: names the field and says what would be right.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(Code::InvalidInput, message) }
    }

    /// Too many of `what` (such as `attempts to sign in`); one more may pass after `wait`.
    pub fn rate_limited(what: &str, wait: Duration) -> Self {
        let wait = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(Duration::from_secs(1));
        let message = format!("too many {what}; try again in {} seconds", wait.as_secs());
        Self { retry_after: Some(wait), ..Self::new(Code::RateLimited, message) }
    }

    /// Nothing of that kind, or nothing that the caller may see.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }

    /// A fault of ours while doing `doing` (a verb phrase, kept for the log).
    pub fn internal(doing: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "something went wrong on our side; try again, and quote the request id if it stays")
            .caused_by(Context { doing, source: source.into() })
    }

    /// A needed system did not answer while doing `doing` (a verb phrase, kept for the log).
    pub fn unavailable(doing: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Unavailable, "a system that this needs is not answering; try again in a moment")
            .caused_by(Context { doing, source: source.into() })
            .during_outage()
    }

    /// The same error with its field by another name, also where the sentence begins with it.
    pub fn at(mut self, name: &str) -> Self {
        if let Some(field) = self.field.replace(name.to_owned())
            && let Some(rest) = self.message.strip_prefix(&format!("{field}:"))
        {
            self.message = format!("{name}:{rest}");
        }
        self
    }

    /// The same error, of a system that is needed and is away as a whole: see [`Error::outage`].
    pub fn during_outage(mut self) -> Self {
        self.outage = true;
        self
    }

    /// The same error, of an outage that is not waited out for longer: it may need somebody to end it.
    pub fn waited_out_for(mut self, most: Duration) -> Self {
        self.patience = Some(most);
        self
    }

    /// The same error, with the time after which the same request may pass.
    pub fn retry_in(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The public sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The input field at fault, by its name in the API.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// When the same request may pass, in whole seconds, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same request may succeed later without a change.
    pub fn retryable(&self) -> bool {
        self.code.retryable()
    }

    /// Whether a system that is needed is away as a whole: it cannot be reached, does not answer in time, has a fault of
    /// its own or takes no more requests. That says nothing about what was asked: who is not in a hurry waits until it
    /// is over.
    pub fn outage(&self) -> bool {
        self.outage
    }

    /// The longest that an outage is waited out, where it has one of its own.
    pub fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// The sentence and every cause below it, for the log only. A cause that its own cause repeats is told once.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(inner) = cause {
            let told = inner.to_string();
            if !text.ends_with(&told) {
                text.push_str(": ");
                text.push_str(&told);
            }
            cause = inner.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A cause with the act during which it happened.
#[derive(Debug)]
struct Context {
    doing: &'static str,
    source: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doing)
    }
}

impl StdError for Context {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref() as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn codes_are_kebab_case_and_unique() {
        let codes: Vec<&str> = Code::iter().map(Code::as_str).collect();
        assert!(codes.contains(&"store-limit-reached"), "{codes:?}");
        let unique: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(unique.len(), codes.len());
    }

    #[test]
    fn the_public_sentence_never_repeats_the_cause() {
        let error = Error::internal("reading a store", std::io::Error::other("connection reset by 10.0.0.7"));
        assert!(!error.to_string().contains("10.0.0.7"));
        assert!(error.chain().ends_with("reading a store: connection reset by 10.0.0.7"), "{}", error.chain());
    }
}
