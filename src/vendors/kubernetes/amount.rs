//! Amounts of CPU and memory as the cluster writes them.

/// An amount as the metrics server and nodes write it, in whole units: `250m`, `12345n`, `20480Ki`, `4`.
pub fn amount(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let factor = match suffix {
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn amounts_are_read_as_the_metrics_server_writes_them() {
        for (text, wanted) in [("250m", 0.25), ("0", 0.0), ("12500000n", 0.0125), ("20480Ki", 20_971_520.0), ("4", 4.0)]
        {
            assert!((amount(text).unwrap() - wanted).abs() < 1e-9, "{text}");
        }
        for wrong in ["", "x", "1X", "1.2.3", "-"] {
            assert_eq!(amount(wrong), None, "{wrong}");
        }
    }
}
