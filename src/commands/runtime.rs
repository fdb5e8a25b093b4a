//! The asynchronous runtime that a command runs its work on.
//! Commands that ask a service or the database call it.

/// The asynchronous runtime a command runs its work on.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
