//! What the program keeps on disk, whoever keeps it: where that is, and how files are named, locked,
//! read and replaced. Everything is for our user alone, and shared by all processes of this user.

mod error;
pub(crate) mod file;
mod home;
mod lock;
mod name;

pub use error::DiskError;
pub use home::home;
pub use lock::Lock;
pub(crate) use name::{hashed_file_name, is_portable_name};

/// Runs what may wait for a disk, or a server behind it, beside the runtime's thread.
pub(crate) async fn blocking<T: Send + 'static, E: From<DiskError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(DiskError::ShuttingDown.into()),
        },
    }
}
