#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| perso_milter_fuzz::intake::holds(data));
