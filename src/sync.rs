//! The mutex that every stage uses for its shared state.

use std::sync::{MutexGuard, PoisonError};

/// A mutex that is held for one operation, never across an await.
///
/// It ignores poisoning: each operation leaves a consistent value, so a panic of one holder affects no other.
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
    fn a_panic_of_a_holder_does_not_poison_the_mutex() {
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
