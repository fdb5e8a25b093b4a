//! Tells the linker where libtorch lies, as `../build.rs` does, and compiles the few lines of C++ that reach kernels of
//! libtorch which the bindings leave out.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/tensors/device/packed.cpp");
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB")
        .expect("torch-sys is a direct dependency of this package and tells where libtorch lies");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    let include = Path::new(&lib).with_file_name("include");
    cc::Build::new()
        .cpp(true)
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .flag("-std=c++20")
        .flag("-D_GLIBCXX_USE_CXX11_ABI=1")
        // a debug build of a shim this small gains nothing and warns about every header of libtorch
        .opt_level(1)
        .debug(false)
        .file("src/tensors/device/packed.cpp")
        .compile("packed");
}
