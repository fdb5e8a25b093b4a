//! Tells cargo that a new file among the migrations changes this crate: they are compiled into it.
//! Without this a build would keep the old list.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
