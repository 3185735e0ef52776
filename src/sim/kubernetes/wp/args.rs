//! Arguments of WP-CLI: positional ones, and `--name`, `--name=value`, `--no-name`.

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
            match argument.strip_prefix("--") {
                Some(flag) => match flag.split_once('=') {
                    Some((name, value)) => args.flags.push((name.to_owned(), Some(value.to_owned()))),
                    None => args.flags.push((flag.to_owned(), None)),
                },
                None => args.words.push(argument.clone()),
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
}
