#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| perso_milter_fuzz::alias_file::holds(data));
