//! The `northstack` binary: see `northstack --help`.

fn main() -> std::process::ExitCode {
    northstack::cli::main()
}
