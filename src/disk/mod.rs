//! Files of the program: their folder, names, locks, and how they are read and replaced. Only the
//! current user has access, and all processes of the user share them.

mod error;
pub(crate) mod file;
mod home;
mod lock;
mod name;

pub use error::DiskError;
pub use home::home;
pub use lock::Lock;
pub(crate) use name::{hashed_file_name, is_portable_name};

/// Runs blocking file operations outside the runtime's thread.
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
