//! The folder of the program's files.

use std::path::{Path, PathBuf};

use super::DiskError;
use crate::config::Environment;

/// Returns the folder of the program's files: `MCP_MANIFOLD_HOME`, else `~/.mcp-manifold`.
///
/// # Errors
/// If neither variable names an absolute folder.
pub fn home(environment: &Environment) -> Result<PathBuf, DiskError> {
    let user = environment.get("HOME").or(environment.get("USERPROFILE"));
    let Some(set) = environment.get("MCP_MANIFOLD_HOME") else {
        let user = user.ok_or(DiskError::NoHome)?;
        return Ok(Path::new(user).join(".mcp-manifold"));
    };
    let path = match (set.strip_prefix("~/"), user) {
        // Clients start the program without a shell, which would expand `~`.
        (Some(rest), Some(user)) => Path::new(user).join(rest),
        _ => PathBuf::from(set),
    };
    match path.is_absolute() {
        true => Ok(path),
        false => Err(DiskError::RelativeHome(set.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_variable_or_in_the_home_directory() {
        #[cfg(windows)]
        let (user, other) = ("C:\\Users\\me", "D:\\keep");
        #[cfg(not(windows))]
        let (user, other) = ("/home/me", "/srv/keep");
        let cases: [(&[(&str, &str)], _); 5] = [
            (
                &[("HOME", user)],
                Some(Path::new(user).join(".mcp-manifold")),
            ),
            (
                &[("USERPROFILE", user)],
                Some(Path::new(user).join(".mcp-manifold")),
            ),
            (
                &[("HOME", user), ("MCP_MANIFOLD_HOME", other)],
                Some(PathBuf::from(other)),
            ),
            (
                &[("HOME", user), ("MCP_MANIFOLD_HOME", "~/keep")],
                Some(Path::new(user).join("keep")),
            ),
            (&[("MCP_MANIFOLD_HOME", "~/keep")], None),
        ];
        for (variables, expected) in cases {
            let environment = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(home(&environment).ok(), expected, "{variables:?}");
        }
    }

    #[test]
    fn an_unknown_folder_is_an_error_with_a_remedy() {
        let none = home(&Environment::default()).unwrap_err().to_string();
        let relative = [("MCP_MANIFOLD_HOME".to_owned(), "logins".to_owned())];
        let relative = home(&relative.into_iter().collect()).unwrap_err();
        insta::assert_snapshot!(format!("{none}\n{relative}"), @r"
        no home directory is known in which to store logins; set `MCP_MANIFOLD_HOME` to a folder
        `MCP_MANIFOLD_HOME` is `logins`, which is not an absolute path; write the full path
        ");
    }
}
