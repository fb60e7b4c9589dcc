//! Says that the tests against Node are not part of this run. A program of its own, because the
//! usual harness shows nothing of a test that passes.

fn main() {
    if cfg!(not(feature = "node")) {
        println!(
            "\nThe tests against Node are left out: the feature `node` of the package `interop` is \
             off.\n`cargo xtask test` switches it on where Node is installed, and installs the \
             packages.\n"
        );
    }
}
