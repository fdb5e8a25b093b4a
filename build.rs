//! Tells the linker where libtorch lies, so that what is built here runs with no environment variable.
//! Shared by every package that links it: a link argument reaches only the package whose script prints it.
//! `scripts/package.sh` names another place, relative to the program, because a package runs on other machines.

fn main() {
    println!("cargo:rerun-if-env-changed=STORYTELLER_RUN_PATH");
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB")
        .expect("torch-sys is a direct dependency of this package and tells where libtorch lies");
    let path = std::env::var("STORYTELLER_RUN_PATH").unwrap_or(lib);
    println!("cargo:rustc-link-arg=-Wl,-rpath,{path}");
}
