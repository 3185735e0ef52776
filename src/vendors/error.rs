//! What can go wrong between here and a vendor, in the same words for each of them.

use std::time::Duration;

use crate::domain;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A vendor's refusal or silence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vendor has no such object.
    #[error("{0}")]
    NotFound(String),
    /// The object exists already, or changed meanwhile.
    #[error("{0}")]
    Conflict(String),
    /// Our credentials are not accepted, or do not allow this.
    #[error("{0}")]
    Unauthorized(String),
    /// Too many requests.
    #[error("{message}")]
    RateLimited {
        /// What the vendor says.
        message: String,
        /// When to try again, if the vendor says so.
        retry_after: Option<Duration>,
    },
    /// The vendor does not accept what it was asked; the same request will not succeed later.
    #[error("{0}")]
    Invalid(String),
    /// The vendor does not answer, or has a fault of its own; the same request may succeed later.
    #[error("{message}")]
    Unavailable {
        message: String,
        /// The transport's error.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
        /// Whether what was asked for had begun: the vendor was there, and it is this that did not come to its end.
        begun: bool,
    },
    /// The vendor answers, but what it asks first does not (an admission webhook): that may come back by itself, or
    /// wait for somebody.
    #[error("{0}")]
    Blocked(String),
}

/// How long something is waited for that a vendor asks first.
const BLOCKED: Duration = Duration::from_secs(15 * 60);

impl Error {
    /// A vendor that does not answer.
    pub fn unavailable(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { message: message.into(), source: Some(source.into()), begun: false }
    }

    /// What was asked for began, and did not come to its end.
    pub fn broken_off(message: impl Into<String>, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { message: message.into(), source, begun: true }
    }

    /// Whether the vendor is away as a whole, whatever it is asked.
    fn outage(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Blocked(_) => true,
            Self::Unavailable { begun, .. } => !begun,
            Self::NotFound(_) | Self::Conflict(_) | Self::Unauthorized(_) | Self::Invalid(_) => false,
        }
    }

    /// The error of an HTTP status that is no success.
    pub fn from_status(status: u16, message: String, retry_after: Option<Duration>) -> Self {
        match status {
            404 | 410 => Self::NotFound(message),
            409 | 412 => Self::Conflict(message),
            401 | 403 => Self::Unauthorized(message),
            429 => Self::RateLimited { message, retry_after },
            408 | 500.. => Self::Unavailable { message, source: None, begun: false },
            _ => Self::Invalid(message),
        }
    }

    /// Whether the same request may succeed later without a change.
    pub fn transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Blocked(_) | Self::Conflict(_) => true,
            Self::NotFound(_) | Self::Unauthorized(_) | Self::Invalid(_) => false,
        }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        use domain::Code;
        let code = match &error {
            Error::NotFound(_) | Error::Invalid(_) | Error::Unauthorized(_) => Code::VendorRejected,
            Error::Conflict(_) => Code::Conflict,
            Error::RateLimited { .. } => Code::RateLimited,
            Error::Unavailable { .. } | Error::Blocked(_) => Code::Unavailable,
        };
        let public = domain::Error::new(code, error.to_string());
        let public = if error.outage() { public.during_outage() } else { public };
        match error {
            Error::Unavailable { source: Some(source), .. } => public.caused_by(source),
            Error::RateLimited { retry_after: Some(wait), .. } => public.retry_in(wait),
            Error::Blocked(_) => public.waited_out_for(BLOCKED),
            _ => public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_to_try_again() {
        for (status, transient) in [
            (400, false),
            (401, false),
            (403, false),
            (404, false),
            (409, true),
            (422, false),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let error = Error::from_status(status, String::new(), None);
            assert_eq!(error.transient(), transient, "{status}");
            let error = domain::Error::from(error);
            assert_eq!((error.retryable(), error.outage()), (transient, transient && status != 409), "{status}");
        }
    }

    #[test]
    fn what_a_vendor_asks_first_is_waited_for_but_not_for_days() {
        let error = domain::Error::from(Error::Blocked("failed calling webhook".to_owned()));
        assert!(error.retryable() && error.outage());
        assert_eq!(error.patience(), Some(BLOCKED));
        let away = domain::Error::from(Error::from_status(503, "away".to_owned(), None));
        assert_eq!((away.outage(), away.patience()), (true, None));
    }
}
