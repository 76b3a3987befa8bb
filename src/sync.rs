//! The lock that every stage uses for its shared state.

use std::sync::{MutexGuard, PoisonError};

/// A mutex that is held for one operation, never across an await.
///
/// A panic of one holder does not poison it for the next: each operation leaves a whole value behind.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// Waits for the lock and returns its guard.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_panic_while_it_is_held_does_not_end_its_use() {
        let mutex = Arc::new(Mutex::new(1));
        let held = mutex.clone();
        let panicked = std::thread::spawn(move || {
            let mut value = held.lock();
            *value = 2;
            panic!("while it is held");
        });
        panicked.join().unwrap_err();
        assert_eq!(*mutex.lock(), 2);
    }
}
