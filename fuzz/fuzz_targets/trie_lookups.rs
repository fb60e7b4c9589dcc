//! `fuzz::targets::trie_lookups` under libFuzzer.
#![cfg_attr(fuzzing, no_main)]
hyperdrive_fuzz::fuzz_with_libfuzzer!(trie_lookups);
