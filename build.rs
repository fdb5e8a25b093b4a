//! Tells the linker where libtorch lies, so that what is built here runs with no environment variable.
//! Shared by every package that links it: a link argument reaches only the package whose script prints it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB")
        .expect("torch-sys is a direct dependency of this package and tells where libtorch lies");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
}
