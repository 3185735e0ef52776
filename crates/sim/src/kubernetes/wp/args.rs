//! Arguments as WP-CLI 2.12 splits them (`php/WP_CLI/Configurator.php`): `--no-name`, `--name`, `--name=value`, and
//! whatever else as a positional word, `--` and `-h` among them. Options of its own (`php/config-spec.php`) count
//! wherever they stand.

/// WP-CLI's own options.
const GLOBAL: &[&str] = &[
    "path",
    "url",
    "ssh",
    "http",
    "blog",
    "user",
    "skip-plugins",
    "skip-themes",
    "skip-packages",
    "require",
    "exec",
    "context",
    "color",
    "debug",
    "prompt",
    "quiet",
    "allow-root",
];

/// The arguments of one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Args {
    pub(super) words: Vec<String>,
    flags: Vec<(String, Option<String>)>,
}

impl Args {
    pub(super) fn new(arguments: &[String]) -> Self {
        let mut args = Self::default();
        for argument in arguments {
            match argument.strip_prefix("--").map(|flag| flag.split_once('=').unwrap_or((flag, "\u{0}"))) {
                Some((name, value)) if !name.is_empty() => {
                    let value = (value != "\u{0}").then(|| value.to_owned());
                    args.flags.push((name.to_owned(), value));
                }
                _ => args.words.push(argument.clone()),
            }
        }
        args
    }

    /// Takes the flags that `--prompt=<name>,...` names from the lines of standard input, as WP-CLI asks for them.
    pub(super) fn prompt(&mut self, stdin: &[u8]) {
        let Some(names) = self.value("prompt").map(str::to_owned) else { return };
        let text = String::from_utf8_lossy(stdin).into_owned();
        let mut lines = text.lines();
        for name in names.split(',').filter(|name| !name.is_empty()) {
            if let Some(line) = lines.next().filter(|line| !line.is_empty()) {
                self.flags.push((name.to_owned(), Some(line.to_owned())));
            }
        }
    }

    /// A positional argument after the command's own words.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(String::as_str)
    }

    /// The value of `--name=value`; the last one counts.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(flag, _)| flag == name).and_then(|(_, value)| value.as_deref())
    }

    /// Whether `--name` is there, with or without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(flag, _)| flag == name)
    }

    /// The flags with a value, in order.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.flags.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)))
    }

    /// The command's own flags that it does not know.
    pub(super) fn unknown(&self, known: &[&str]) -> Vec<&str> {
        let names = self.flags.iter().map(|(name, _)| name.as_str());
        names
            .filter(|name| !GLOBAL.contains(name))
            .filter(|name| !known.contains(&name.strip_prefix("no-").unwrap_or(name)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Args {
        Args::new(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_option_is_one_wherever_it_stands() {
        let args = args(&["option", "update", "blogname", "--", "--exec=phpinfo();", "-h", "--=x", "--x"]);
        assert_eq!(args.words, ["option", "update", "blogname", "--", "-h", "--=x"]);
        assert_eq!((args.value("exec"), args.has("x"), args.value("x")), (Some("phpinfo();"), true, None));
        assert_eq!(args.unknown(&["format"]), ["x"]);
    }
}
