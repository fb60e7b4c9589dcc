//! `fuzz::targets::trie_walk` under libFuzzer.
#![cfg_attr(fuzzing, no_main)]
hyperdrive_fuzz::fuzz_with_libfuzzer!(trie_walk);
