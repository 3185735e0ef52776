//! Amounts of CPU and memory, as Kubernetes writes them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{Error, Result};

/// An amount such as `250m` or `512Mi`: digits, a fraction if any, and one suffix of `m`, `k`, `M`, `G`, `T`, `Ki`, `Mi`,
/// `Gi` or `Ti`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quantity {
    text: String,
    milli: u128,
}

impl Quantity {
    /// Reads an amount above zero; `field` is named in the error.
    ///
    /// # Errors
    /// `invalid-input`.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        match milli(text) {
            Some(0) => Err(Error::invalid(field, format!("{field}: an amount is above zero"))),
            Some(milli) => Ok(Self { text: text.to_owned(), milli }),
            None => {
                let message = format!("{field}: write an amount such as `250m`, `0.5`, `512Mi` or `2Gi`");
                Err(Error::invalid(field, message))
            }
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The amount in thousandths.
    pub fn milli(&self) -> u128 {
        self.milli
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Quantity {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse("quantity", &text)
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.text
    }
}

/// Nobody needs more digits than these, and the product with the largest suffix stays within 128 bits.
const MOST_DIGITS: usize = 15;

fn milli(text: &str) -> Option<u128> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(digits)?;
    let factor: u128 = match suffix {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || whole.len() + fraction.len() > MOST_DIGITS || fraction.contains('.')
    {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let value: u128 = format!("{whole}{fraction}").parse().ok()?;
    Some((value * factor).div_ceil(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_what_is_none() {
        for (text, milli) in [
            ("1", 1_000),
            ("250m", 250),
            ("0.5", 500),
            ("1.5Gi", 1_610_612_736_000),
            ("512Mi", 536_870_912_000),
            ("2k", 2_000_000),
        ] {
            assert_eq!(Quantity::parse("cpu", text).unwrap().milli(), milli, "{text}");
        }
        for wrong in [
            "",
            "-1",
            "+1",
            "1e9Gi",
            "1e3",
            "Gi",
            ".5",
            "5.",
            "1.2.3",
            "1 Gi",
            "1gi",
            "0",
            "0Mi",
            "NaN",
            "1e",
            "9999999999999999",
        ] {
            assert_eq!(Quantity::parse("cpu", wrong).unwrap_err().field(), Some("cpu"), "{wrong:?}");
        }
    }
}
