//! Where tensors are computed, and how the process is set up for it.
//!
//! Called once at start, before any other use of libtorch: after one query for CUDA without the CUDA
//! library in the process the answer stays "no" for good. With its submodules the only place of the project with
//! unsafe code: loading a library, setting the allocator, mapping a file, our kernel and copies in one pass have no safe form.
#![allow(unsafe_code)]

pub mod copied;
mod large_pages;
pub mod mapped;
pub mod packed;
pub mod packed_floats;
pub mod shared;

use crate::error::{Error, Result};
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use tch::{Cuda, Device};

/// What the operator asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wanted {
    /// A GPU if there is one that works.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The GPU of this number; nothing else will do.
    Cuda(usize),
}

impl std::str::FromStr for Wanted {
    type Err = Error;

    /// Reads `auto`, `cpu`, `cuda` or `cuda:1`.
    fn from_str(text: &str) -> Result<Self> {
        let number = |n: &str| n.parse().ok();
        match text.split_once(':') {
            None if text == "auto" => Some(Self::Auto),
            None if text == "cpu" => Some(Self::Cpu),
            None if text == "cuda" => Some(Self::Cuda(0)),
            Some(("cuda", n)) => number(n).map(Self::Cuda),
            _ => None,
        }
        .ok_or_else(|| Error::Option {
            field: "device",
            reason: format!("`{text}` is none of auto, cpu, cuda, cuda:N"),
        })
    }
}

/// Chooses the device that `wanted` (`auto`, `cpu`, `cuda`, `cuda:1`) stands for; the log says which
/// it is and why.
///
/// # Errors
/// When the text is none of these, or a GPU was demanded and cannot be used.
pub fn choose(wanted: &str) -> Result<Device> {
    let wanted: Wanted = wanted.parse()?;
    if wanted == Wanted::Cpu {
        return Ok(Device::Cpu);
    }
    let index = if let Wanted::Cuda(index) = wanted {
        index
    } else {
        0
    };
    let problem = match cuda() {
        Ok(count) if (index as i64) < *count => {
            tracing::info!("computing on GPU {index} of {count}");
            return Ok(Device::Cuda(index));
        }
        Ok(count) => format!("there is no GPU {index}: libtorch sees {count}"),
        Err(reason) => reason.clone(),
    };
    if wanted == Wanted::Auto {
        tracing::info!("computing on the processor: {problem}");
        return Ok(Device::Cpu);
    }
    Err(Error::Option {
        field: "device",
        reason: problem,
    })
}

/// Makes the C allocator keep large blocks instead of returning them to the system after every
/// layer; worth a fifth of the time of an image encoder. Each of its arenas keeps the most that any thread had in it, so there
/// are two a core instead of eight. Call it first in `main`.
pub fn keep_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const GIB: libc::c_int = 1 << 30;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let settings = [
            (
                libc::M_ARENA_MAX,
                libc::c_int::try_from(2 * cores).unwrap_or(libc::c_int::MAX),
            ),
            (libc::M_MMAP_THRESHOLD, GIB),
            (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
            (libc::M_TOP_PAD, 64 << 20),
        ];
        for (parameter, value) in settings {
            // SAFETY: mallopt only stores a number; glibc allows it at any time and from any thread.
            unsafe { libc::mallopt(parameter, value) };
        }
    }
}

/// Gives freed blocks back to the system. Called once the networks are loaded: joining their arrays leaves free
/// blocks behind, which [`keep_large_blocks`] would keep for good.
pub fn give_back_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim touches free blocks only; glibc allows it at any time and from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The number of GPUs, or why there are none; looks only once.
fn cuda() -> &'static Result<i64, String> {
    static COUNT: OnceLock<Result<i64, String>> = OnceLock::new();
    COUNT.get_or_init(|| {
        load_cuda()?;
        if !Cuda::is_available() {
            return Err("libtorch finds no working NVIDIA GPU or driver".to_owned());
        }
        keep_whole_mantissas();
        Ok(Cuda::device_count())
    })
}

/// Of 32-bit floats no digits are dropped: cuDNN would round them to ten bits in convolutions and recurrent networks (TF32),
/// which is an error of 10⁻³ in a thought, where the original's numbers are met to 10⁻⁵.
fn keep_whole_mantissas() {
    // SAFETY: both are functions of the libtorch_cpu that this program is linked with, of the version that it is pinned to;
    // the first gives a reference that is never null and lives as long as the process, the second stores a flag in it. A C++
    // member function takes its object as a first argument.
    unsafe {
        let context = global_context();
        allow_tf32_in_cudnn(context, false);
    }
}

unsafe extern "C" {
    /// `at::globalContext()`.
    #[link_name = "_ZN2at13globalContextEv"]
    fn global_context() -> *mut libc::c_void;
    /// `at::Context::setAllowTF32CuDNN(bool)`.
    #[link_name = "_ZN2at7Context17setAllowTF32CuDNNEb"]
    fn allow_tf32_in_cudnn(context: *mut libc::c_void, allow: bool);
}

/// Brings libtorch's CUDA half into the process: nothing links it, so that one program serves both.
fn load_cuda() -> Result<(), String> {
    let folder = libtorch_folder().ok_or("libtorch is not loaded")?;
    let library = folder.join("libtorch_cuda.so");
    if !library.exists() {
        return Err("this libtorch has no CUDA half (libtorch_cuda.so)".to_owned());
    }
    let path = CString::new(library.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: the path is a valid C string; the library is the sibling of the libtorch_cpu.so that
    // is already in the process, made for it, and its initialisers register kernels and nothing
    // else. The handle is never closed.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(());
    }
    // SAFETY: dlerror returns null or a C string that stays valid until the thread's next dl call.
    let message = unsafe {
        let text = libc::dlerror();
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    Err(format!(
        "cannot load libtorch_cuda.so: {}",
        message.unwrap_or_default()
    ))
}

/// The folder of the libtorch_cpu.so that this process runs with.
fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.ends_with("/libtorch_cpu.so")
            .then(|| PathBuf::from(path))
    })?;
    path.parent().map(PathBuf::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_read_and_others_refused() {
        assert_eq!("auto".parse::<Wanted>().unwrap(), Wanted::Auto);
        assert_eq!("cuda:1".parse::<Wanted>().unwrap(), Wanted::Cuda(1));
        let error = "gpu".parse::<Wanted>().unwrap_err().to_string();
        assert!(
            error.contains("`gpu`") && error.contains("cuda:N"),
            "{error}"
        );
    }

    #[test]
    fn the_processor_is_always_there() {
        assert_eq!(choose("cpu").unwrap(), Device::Cpu);
    }

    #[test]
    fn the_flag_that_keeps_digits_is_one_of_this_libtorch() {
        let _ = tch::Tensor::from_slice(&[1.0]);
        keep_whole_mantissas();
    }

    #[test]
    fn the_loaded_libtorch_is_found() {
        let _ = tch::Tensor::from_slice(&[1.0]);
        assert!(libtorch_folder().unwrap().join("libtorch_cpu.so").exists());
    }

    #[test]
    fn a_gpu_that_is_not_there_is_refused_with_the_reason() {
        let error = choose("cuda:999").unwrap_err().to_string();
        assert!(error.contains("GPU") || error.contains("CUDA"), "{error}");
    }
}
