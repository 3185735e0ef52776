//! The `northstack` binary: see `northstack --help`.

/// A request makes some dozens of small allocations; this one costs half of what the system's does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    northstack::cli::main()
}
