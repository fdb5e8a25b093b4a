//! Tells the linker where libtorch lies, as `../build.rs` does, and compiles the kernels that are ours (`tensors/device/bytes` and `floats`).
//! What must stay true: each file of a kernel may use only what the processor is asked for before it is called.

/// The kernels' files, each with what the processor must have for it.
const KERNELS: [(&str, &[&str]); 8] = [
    ("bytes/product", &[]),
    ("bytes/narrow", &["-mavx2"]),
    ("bytes/middle", &["-mavx512f", "-mavx512bw"]),
    ("bytes/wide", &["-mavx512f", "-mavx512bw", "-mavx512vnni"]),
    ("bytes/tiles", &["-mavx512f", "-mamx-tile", "-mamx-int8"]),
    ("floats/kernels", &[]),
    ("floats/narrow", &["-mavx2", "-mfma"]),
    ("floats/wide", &["-mavx512f"]),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/tensors/device/bytes");
    println!("cargo:rerun-if-changed=src/tensors/device/floats");
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB")
        .expect("torch-sys is a direct dependency of this package and tells where libtorch lies");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    let is_x86 = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    for (name, needs) in KERNELS
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
            // numbers are the same by each of them only if none multiplies and adds in one
            .flag("-ffp-contract=off")
            .opt_level(3)
            .debug(false)
            .file(format!("src/tensors/device/{name}.cpp"))
            .compile(&name.replace('/', "_"));
    }
}
