//! Tells the linker where libtorch lies, as `../build.rs` does, and compiles the kernels in C++: ours, and the few lines that
//! reach those of libtorch which the bindings leave out.

use std::path::Path;

/// Our kernel's files, each with what the processor must have for it.
const KERNEL: [(&str, &[&str]); 3] = [
    ("product", &[]),
    ("narrow", &["-mavx2", "-mfma"]),
    ("wide", &["-mavx512f", "-mavx512bw"]),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/tensors/device/packed.cpp");
    println!("cargo:rerun-if-changed=src/tensors/device/bytes");
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
    let is_x86 = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    for (name, needs) in KERNEL
        .into_iter()
        .filter(|(_, needs)| is_x86 || needs.is_empty())
    {
        let mut build = cc::Build::new();
        for flag in needs {
            build.flag(flag);
        }
        build
            .cpp(true)
            .flag("-std=c++17")
            // the compiler finds some in its own header of intrinsics
            .flag("-Wno-uninitialized")
            .flag("-Wno-maybe-uninitialized")
            .opt_level(3)
            .debug(false)
            .file(format!("src/tensors/device/bytes/{name}.cpp"))
            .compile(&format!("bytes_{name}"));
    }
}
