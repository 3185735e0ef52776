//! The `northstack` binary: see `northstack --help`.

/// A request makes some dozens of small allocations, which the system's own allocator does at a higher cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    northstack::cli::main()
}
