//! Resource quantities: `100m`, `64Mi`, `0.5Gi` (apimachinery `api/resource`).

use std::cmp::Ordering;

/// An amount in billionths, with the family of suffix it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quantity {
    nano: i128,
    binary: bool,
}

const NANO: i128 = 1_000_000_000;
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

impl Quantity {
    /// Nothing.
    pub(crate) const ZERO: Quantity = Quantity { nano: 0, binary: false };

    /// That many whole units.
    pub(crate) fn whole(units: i64) -> Self {
        Self { nano: i128::from(units) * NANO, binary: false }
    }

    /// Reads a quantity; `None` when it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits =
            text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '+' || c == '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(digits)?;
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let fraction: String = fraction.chars().take(9).collect();
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part: i128 = format!("{fraction:0<9}").parse().ok()?;
        let nano = whole.checked_mul(NANO)?.checked_add(part)?;
        let (nano, binary) = scale(nano, suffix)?;
        Some(Self { nano: if negative { -nano } else { nano }, binary })
    }

    /// The sum.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { nano: self.nano.saturating_add(other.nano), binary: self.binary || other.binary }
    }

    /// Whether it is below nothing.
    pub(crate) fn negative(self) -> bool {
        self.nano < 0
    }

    /// Orders by amount, whatever the suffix.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

fn scale(nano: i128, suffix: &str) -> Option<(i128, bool)> {
    if let Some((_, shift)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((nano.checked_mul(1i128 << shift)?, true));
    }
    let power = match DECIMAL.iter().find(|(name, _)| *name == suffix) {
        Some((_, power)) => *power,
        None => suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?,
    };
    let factor = 10i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 { Some((nano.checked_mul(factor)?, false)) } else { Some((nano.div_ceil_to(factor), false)) }
}

trait DivCeil {
    fn div_ceil_to(self, by: i128) -> i128;
}

impl DivCeil for i128 {
    fn div_ceil_to(self, by: i128) -> i128 {
        let quotient = self / by;
        if self % by != 0 && self > 0 { quotient + 1 } else { quotient }
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        if self.binary && self.nano % NANO == 0 {
            let units = self.nano / NANO;
            for (name, shift) in BINARY.iter().rev() {
                if units % (1i128 << shift) == 0 {
                    return write!(f, "{}{name}", units >> shift);
                }
            }
            return write!(f, "{units}");
        }
        for (name, power) in DECIMAL.iter().rev() {
            let unit = 10i128.pow((power + 9).unsigned_abs());
            if self.nano % unit == 0 {
                return write!(f, "{}{name}", self.nano / unit);
            }
        }
        write!(f, "{}n", self.nano)
    }
}

/// The canonical form of a quantity's text; the text itself when it is none.
pub(crate) fn canonical(text: &str) -> String {
    Quantity::parse(text).map_or_else(|| text.to_owned(), |quantity| quantity.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_take_their_canonical_form() {
        for (given, wanted) in [
            ("0.1", "100m"),
            ("0.5Gi", "512Mi"),
            ("1", "1"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1e3", "1k"),
            ("5Gi", "5Gi"),
            ("0", "0"),
            ("1500m", "1500m"),
        ] {
            assert_eq!(canonical(given), wanted, "{given}");
        }
        assert!(Quantity::parse("lots").is_none());
        assert!(Quantity::parse("1Gi").is_some_and(|gib| gib.compare(Quantity::whole(1 << 30)) == Ordering::Equal));
    }
}
