//! `fuzz::targets::stat` under libFuzzer.
#![cfg_attr(fuzzing, no_main)]
hyperdrive_fuzz::fuzz_with_libfuzzer!(stat);
