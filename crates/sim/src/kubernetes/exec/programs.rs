//! The programs that containers have.

use super::shell::{self, Pipeline, When};
use super::{Machine, Output};
use crate::kubernetes::json::text;
use crate::kubernetes::wp;

/// How deep scripts may call shells.
const DEPTH: usize = 8;

impl Machine<'_> {
    /// Runs a command.
    pub(super) fn run(&mut self, argv: &[String], stdin: &[u8]) -> Output {
        let Some((program, arguments)) = argv.split_first() else {
            return Output { start_failure: Some("exec: no command specified".to_owned()), ..Output::default() };
        };
        let name = program.rsplit('/').next().unwrap_or(program);
        match self.program(name, arguments, stdin) {
            Some(output) => output,
            None => Output {
                start_failure: Some(format!("exec: {program:?}: executable file not found in $PATH")),
                code: 127,
                ..Output::default()
            },
        }
    }

    /// Runs a program, if the container has it.
    fn program(&mut self, name: &str, arguments: &[String], stdin: &[u8]) -> Option<Output> {
        let first = arguments.first().map_or("", String::as_str);
        let output = match name {
            "sh" | "bash" | "ash" => self.shell(arguments, stdin),
            "true" | ":" | "sync" => Output::silent(0),
            "false" => Output::silent(1),
            "sleep" => Output::silent(0),
            "echo" => {
                let (newline, words) =
                    if first == "-n" { ("", arguments.get(1..).unwrap_or_default()) } else { ("\n", arguments) };
                Output { stdout: format!("{}{newline}", words.join(" ")), ..Output::default() }
            }
            "printf" => {
                Output { stdout: arguments.join(" ").replace("\\n", "\n").replace("%s", ""), ..Output::default() }
            }
            "cat" => self.cat(arguments, stdin),
            "test" => self.test(arguments),
            "[" => match arguments.split_last() {
                Some((close, inside)) if close == "]" => self.test(inside),
                _ => Output::fail(2, "sh: missing ]"),
            },
            "ls" => self.list(arguments),
            "pwd" => Output::ok(self.directory()),
            "env" | "printenv" => self.print_env(arguments),
            "hostname" => Output::ok(text(self.place.pod, "/metadata/name")),
            "whoami" | "id" => Output::ok(if wp::is_mysql(self.place.image()) { "mysql" } else { "www-data" }),
            "wp" if wp::has_cli(self.place.image()) => wp::run(self.state, self.place, &self.env, arguments, stdin),
            "mysql" | "mariadb" if wp::has_mysql_client(self.place.image()) => {
                wp::mysql(self.state, self.place, &self.env, arguments, stdin)
            }
            "mysqladmin" | "mariadb-admin" if wp::has_mysql_client(self.place.image()) => {
                wp::mysqladmin(self.state, self.place, &self.env, arguments)
            }
            _ => return None,
        };
        Some(output)
    }

    fn directory(&self) -> String {
        let given = text(self.place.container, "/workingDir");
        if !given.is_empty() {
            given.to_owned()
        } else if self.place.image().contains("wordpress") {
            "/var/www/html".to_owned()
        } else {
            "/".to_owned()
        }
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        format!("{}/{}", self.directory().trim_end_matches('/'), path.trim_start_matches("./"))
    }

    fn cat(&mut self, arguments: &[String], stdin: &[u8]) -> Output {
        if arguments.is_empty() {
            return Output { stdout: String::from_utf8_lossy(stdin).into_owned(), ..Output::default() };
        }
        let mut output = Output::default();
        for path in arguments {
            match wp::file(self.state, self.place, &self.absolute(path)) {
                Some(text) => output.stdout.push_str(&text),
                None => {
                    output.stderr.push_str(&format!("cat: can't open '{path}': No such file or directory\n"));
                    output.code = 1;
                }
            }
        }
        output
    }

    fn list(&mut self, arguments: &[String]) -> Output {
        let path = arguments.iter().find(|argument| !argument.starts_with('-')).cloned();
        let path = self.absolute(path.as_deref().unwrap_or("."));
        match wp::directory(self.state, self.place, path.trim_end_matches("/.")) {
            Some(names) => Output::ok(names.join("\n")),
            None if wp::file(self.state, self.place, &path).is_some() => Output::ok(path),
            None => Output::fail(1, format!("ls: {path}: No such file or directory")),
        }
    }

    fn test(&mut self, arguments: &[String]) -> Output {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (negated, words) = match words.split_first() {
            Some((&"!", rest)) => (true, rest.to_vec()),
            _ => (false, words),
        };
        let truth = match words.as_slice() {
            [] => false,
            ["-f", path] => wp::file(self.state, self.place, &self.absolute(path)).is_some(),
            ["-s", path] => wp::file(self.state, self.place, &self.absolute(path)).is_some_and(|text| !text.is_empty()),
            ["-d", path] => wp::directory(self.state, self.place, &self.absolute(path)).is_some(),
            ["-e" | "-r", path] => {
                let path = self.absolute(path);
                wp::file(self.state, self.place, &path).is_some()
                    || wp::directory(self.state, self.place, &path).is_some()
            }
            ["-n", text] => !text.is_empty(),
            ["-z", text] => text.is_empty(),
            [left, "=" | "==", right] => left == right,
            [left, "!=", right] => left != right,
            [left, how @ ("-eq" | "-ne" | "-gt" | "-lt" | "-ge" | "-le"), right] => {
                let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) else {
                    return Output::fail(2, "sh: bad number");
                };
                match *how {
                    "-eq" => left == right,
                    "-ne" => left != right,
                    "-gt" => left > right,
                    "-lt" => left < right,
                    "-ge" => left >= right,
                    _ => left <= right,
                }
            }
            [text] => !text.is_empty(),
            _ => return Output::fail(2, "sh: unknown operand"),
        };
        Output::silent(i64::from(truth == negated))
    }

    fn print_env(&self, arguments: &[String]) -> Output {
        match arguments.first() {
            Some(name) => match self.env.get(name) {
                Some(value) => Output::ok(value.as_str()),
                None => Output::silent(1),
            },
            None => {
                let lines: Vec<String> = self.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
                Output::ok(lines.join("\n"))
            }
        }
    }

    fn shell(&mut self, arguments: &[String], stdin: &[u8]) -> Output {
        let command = arguments.iter().position(|argument| argument.starts_with('-') && argument.contains('c'));
        let script = match command {
            Some(index) => arguments.get(index + 1).cloned().unwrap_or_default(),
            None => String::from_utf8_lossy(stdin).into_owned(),
        };
        let strict = command.and_then(|index| arguments.get(index)).is_some_and(|flags| flags.contains('e'));
        self.depth += 1;
        let output = if self.depth > DEPTH {
            Output::fail(2, "sh: too deep")
        } else {
            match shell::parse(&script) {
                Ok(pipelines) => self.script(&pipelines, stdin, strict),
                Err(message) => Output::fail(2, message),
            }
        };
        self.depth -= 1;
        output
    }

    fn script(&mut self, pipelines: &[Pipeline], stdin: &[u8], mut strict: bool) -> Output {
        let mut all = Output::default();
        for (index, pipeline) in pipelines.iter().enumerate() {
            let skip = match pipeline.when {
                When::Always => false,
                When::Succeeded => all.code != 0,
                When::Failed => all.code == 0,
            };
            if skip {
                continue;
            }
            let words: Vec<String> = pipeline
                .commands
                .first()
                .map(|command| command.words.iter().map(|word| shell::fill(word, &self.env, all.code)).collect())
                .unwrap_or_default();
            let word = words.first().map_or("", String::as_str);
            match word {
                "exit" => {
                    all.code = words.get(1).and_then(|code| code.parse().ok()).unwrap_or(all.code);
                    return all;
                }
                "kill" if words.iter().any(|word| word == "-9") => {
                    all.code = 137;
                    return all;
                }
                "set" => {
                    strict |= words.iter().any(|word| word.starts_with('-') && word.contains('e'));
                    all.code = 0;
                    continue;
                }
                "cd" => {
                    all.code = 0;
                    continue;
                }
                "export" => {
                    for word in words.iter().skip(1) {
                        self.assign(word);
                    }
                    all.code = 0;
                    continue;
                }
                _ => {}
            }
            let output = self.pipeline(pipeline, stdin, all.code);
            all.stdout.push_str(&output.stdout);
            all.stderr.push_str(&output.stderr);
            all.code = output.code;
            let guarded = pipelines.get(index + 1).is_some_and(|next| next.when != When::Always);
            if strict && all.code != 0 && !guarded {
                return all;
            }
        }
        all
    }

    fn assign(&mut self, word: &str) -> bool {
        let Some((name, value)) = word.split_once('=') else { return false };
        let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if good {
            self.env.insert(name.to_owned(), value.to_owned());
        }
        good
    }

    fn pipeline(&mut self, pipeline: &Pipeline, stdin: &[u8], last_code: i64) -> Output {
        let mut input = stdin.to_vec();
        let mut all = Output::default();
        for (index, command) in pipeline.commands.iter().enumerate() {
            let mut words: Vec<String> =
                command.words.iter().map(|word| shell::fill(word, &self.env, last_code)).collect();
            let negated = words.first().is_some_and(|word| word == "!");
            if negated {
                words.remove(0);
            }
            let before = self.env.clone();
            while words.first().is_some_and(|word| word.contains('=') && !word.starts_with('-')) {
                if !words.first().cloned().is_some_and(|word| self.assign(&word)) {
                    break;
                }
                words.remove(0);
            }
            let mut output = if words.is_empty() { Output::silent(0) } else { self.simple(&words, &input) };
            if !words.is_empty() {
                self.env = before;
            }
            if negated {
                output.code = i64::from(output.code == 0);
            }
            redirect(&mut output, &command.redirects);
            all.stderr.push_str(&output.stderr);
            all.code = output.code;
            if index + 1 == pipeline.commands.len() {
                all.stdout = output.stdout;
            } else {
                input = output.stdout.into_bytes();
            }
        }
        all
    }

    /// A program called from a script: an unknown one is the shell's own complaint.
    fn simple(&mut self, words: &[String], input: &[u8]) -> Output {
        let output = self.run(words, input);
        match (&output.start_failure, words.first()) {
            (Some(_), Some(name)) => Output::fail(127, format!("sh: {name}: not found")),
            _ => output,
        }
    }
}

fn redirect(output: &mut Output, redirects: &[(u8, String)]) {
    for (stream, to) in redirects {
        match (stream, to.as_str()) {
            (1, "&2") => {
                let text = std::mem::take(&mut output.stdout);
                output.stderr.push_str(&text);
            }
            (2, "&1") => {
                let text = std::mem::take(&mut output.stderr);
                output.stdout.push_str(&text);
            }
            // Whatever the file: containers keep no files of their own.
            (1, _) => output.stdout.clear(),
            _ => output.stderr.clear(),
        }
    }
}
