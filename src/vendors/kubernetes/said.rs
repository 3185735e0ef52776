//! The cluster's own words, cut to what a person reads. Runtimes and registries name what they were about first and the
//! cause last, so that it is the middle that goes.

/// Most characters that are told of one message.
const MOST: usize = 300;
/// Fewest characters of a cause: `connection refused` alone does not say by whom.
const LEAST: usize = 30;
/// Most characters of a cause.
const MOST_OF_A_CAUSE: usize = 160;
/// What stands between a cause and what it was the cause of.
const COLON: &str = ": ";

/// A message in one line: whole, or its first clause and as many of its last as there is room for.
pub fn said(message: &str) -> String {
    // Registries write their reasons in lines of their own.
    let lines: Vec<&str> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = lines.join("; ");
    if line.chars().count() <= MOST {
        return line;
    }
    match line.split_once(COLON) {
        Some((first, rest)) if first.chars().count() < MOST / 3 => {
            format!("{first}{COLON}… {}", end(rest, MOST - first.chars().count(), usize::MAX))
        }
        _ => format!("… {}", end(&line, MOST, usize::MAX)),
    }
}

/// The end of a message, which is its cause: `dial tcp 10.0.0.1:443: connect: connection refused`.
pub fn cause(message: &str) -> String {
    end(&said(message), MOST_OF_A_CAUSE, LEAST).trim_start_matches(['…', ' ']).to_owned()
}

/// The last clauses of a line: no more than `enough` asks for, and no more than there is room for.
fn end(line: &str, room: usize, enough: usize) -> String {
    let mut end = String::new();
    for clause in line.rsplit(COLON) {
        let more = if end.is_empty() { clause.to_owned() } else { format!("{clause}{COLON}{end}") };
        let length = more.chars().count();
        if length > room {
            if end.chars().count() < LEAST {
                // What is left would not say of what: the end of it all instead.
                end = more.chars().skip(length.saturating_sub(room)).collect();
            }
            break;
        }
        end = more;
        if end.chars().count() >= enough {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_stays_however_long_the_way_to_it_is() {
        let image = format!("registry.example.com/{}/api:1", "team/".repeat(40));
        for cause in [
            "not found",
            "unexpected status from HEAD request to https://registry.example.com/v2/api/manifests/1: 401 Unauthorized",
            "dial tcp 10.0.0.1:443: connect: connection refused",
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ] {
            let message = format!("Back-off pulling image {image:?}: ErrImagePull: failed to pull {image:?}: {cause}");
            let told = said(&message);
            assert!(told.ends_with(cause), "{told}");
            assert!(told.chars().count() <= MOST + 10, "{told}");
            assert!(super::cause(&message).ends_with(cause.rsplit(": ").next().unwrap_or_default()));
        }
        assert_eq!(said("short\n\nerrors:\ndenied"), "short; errors:; denied");
        assert!(said(&"é".repeat(1_000)).chars().count() <= MOST + 3);
    }

    #[test]
    fn a_cause_says_of_what() {
        assert_eq!(
            cause("failed: to do request: Head \"https://x/v2\": dial tcp 127.0.0.1:1: connect: connection refused"),
            "dial tcp 127.0.0.1:1: connect: connection refused"
        );
        assert_eq!(cause("gone"), "gone");
    }
}
