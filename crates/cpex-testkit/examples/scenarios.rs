//! Prints the table of scenarios as JSON: `cargo run -p cpex-testkit --example scenarios`.

fn main() {
    print!("{}", cpex_testkit::scenarios::json());
}
