//! The official SDK as a server with the extension.
