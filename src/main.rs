//! The aliasd binary: everything is in the library.

fn main() -> std::process::ExitCode {
    aliasd::cli::main()
}
