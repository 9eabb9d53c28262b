//! Tells the linker where LibTorch is, so that tests and examples find it without
//! `LD_LIBRARY_PATH`. Does nothing without feature `tch`.

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if std::env::var_os("CARGO_FEATURE_TCH").is_some()
        && let Some(folder) = std::env::var_os("LIBTORCH")
    {
        let folder = folder.to_string_lossy();
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}
