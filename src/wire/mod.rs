//! JSON-RPC messages as they stand on the wire, and the text formats around them. Pure: no I/O.
