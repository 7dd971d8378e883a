//! Where a new plugin takes the sdk from: a checkout, a registry, a folder of packages.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

/// The sdk's packages and their folders in a checkout.
const PACKAGES: [(&str, &str); 4] = [
    ("linkspan-abi", "sdk/abi"),
    ("linkspan-derive", "sdk/derive"),
    ("linkspan-sdk", "sdk/sdk"),
    ("linkspan-testkit", "sdk/testkit"),
];

/// What the new crate's files say of the sdk.
#[derive(Debug)]
pub(super) struct Sdk {
    /// What stands behind `linkspan-sdk =`.
    pub(super) sdk: String,
    /// What stands behind `linkspan-testkit =`.
    pub(super) testkit: String,
    /// A table that says where packages are, or nothing.
    pub(super) patch: String,
    /// `.cargo/config.toml`.
    pub(super) cargo_config: Option<String>,
    /// For people.
    pub(super) said: String,
}

impl Sdk {
    /// Reads `--sdk`: `path[=DIR]`, `version[=V]`, `vendored=DIR`. Without it the checkout around this program or the new crate, else
    /// the version.
    pub(super) fn find(asked: Option<&str>, folder: &Path) -> Result<Self, Failure> {
        let (way, place) = match asked {
            None => {
                return Ok(
                    checkout(folder).map_or_else(|| Self::version(None), |root| Self::path(&root))
                );
            }
            Some(text) => match text.split_once('=') {
                Some((way, place)) => (way, Some(place)),
                None => (text, None),
            },
        };
        match (way, place) {
            ("path", Some(place)) => {
                let root = crate::run::plan::absolute(PathBuf::from(place));
                if !is_checkout(&root) {
                    return Err(refused(&format!("`{}` holds no `sdk/sdk/Cargo.toml` of linkspan-sdk", root.display()))
                        .help("name the top folder of a checkout of linkspan"));
                }
                Ok(Self::path(&root))
            }
            ("path", None) => checkout(folder)
                .map(|root| Self::path(&root))
                .ok_or_else(|| refused("no checkout of linkspan is around this program or the new crate; say `--sdk path=DIR`")),
            ("version", version) => Ok(Self::version(version)),
            ("vendored", Some(place)) => Self::vendored(&crate::run::plan::absolute(PathBuf::from(place))),
            _ => Err(refused(&format!("--sdk {way}: expected `path`, `path=DIR`, `version`, `version=V` or `vendored=DIR`"))),
        }
    }

    fn path(root: &Path) -> Self {
        let at = |folder: &str| format!("{{ path = {} }}", quoted(&root.join(folder)));
        Self {
            sdk: at("sdk/sdk"),
            testkit: at("sdk/testkit"),
            patch: String::new(),
            cargo_config: None,
            said: format!("from the checkout {}", root.display()),
        }
    }

    fn version(version: Option<&str>) -> Self {
        let own = env!("CARGO_PKG_VERSION");
        let version =
            version.unwrap_or_else(|| own.rsplit_once('.').map_or(own, |(minor, _)| minor));
        let dependency = toml_string(version);
        Self {
            sdk: dependency.clone(),
            testkit: dependency,
            patch: String::new(),
            cargo_config: None,
            said: format!(
                "in version {version} from the registry; `--sdk path=CHECKOUT` takes it from a checkout"
            ),
        }
    }

    /// A folder that holds each package as `NAME` or `NAME-VERSION`; one made by `cargo vendor` serves everything else too.
    fn vendored(folder: &Path) -> Result<Self, Failure> {
        let unreadable = |error: std::io::Error| {
            refused(&format!("`{}` cannot be read: {error}", folder.display()))
        };
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            entries.push(entry.map_err(unreadable)?.path());
        }
        entries.sort();
        let mut sdk = Self::version(None);
        sdk.patch = "\n[patch.crates-io]\n".to_owned();
        for (package, _) in PACKAGES {
            let found = entries.iter().find(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let version = name
                    .strip_prefix(package)
                    .and_then(|rest| rest.strip_prefix('-'));
                let numbered = version
                    .is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()));
                (*name == *package || numbered) && path.join("Cargo.toml").is_file()
            });
            let Some(found) = found else {
                return Err(refused(&format!(
                    "`{}` holds no package {package}",
                    folder.display()
                )));
            };
            sdk.patch
                .push_str(&format!("{package} = {{ path = {} }}\n", quoted(found)));
        }
        if entries
            .iter()
            .any(|path| path.join(".cargo-checksum.json").is_file())
        {
            sdk.cargo_config = Some(format!(
                "[source.crates-io]\nreplace-with = \"vendored\"\n\n[source.vendored]\ndirectory = {}\n",
                quoted(folder)
            ));
        }
        sdk.said = format!("from the packages in {}", folder.display());
        Ok(sdk)
    }
}

fn refused(message: &str) -> Failure {
    Failure::new(Exit::Invalid, "LS0220", message)
}

/// The checkout that the new crate or this program lies in.
fn checkout(folder: &Path) -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    let places = folder
        .ancestors()
        .chain(program.iter().flat_map(|program| program.ancestors()));
    places
        .map(Path::to_path_buf)
        .find(|place| is_checkout(place))
}

fn is_checkout(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("sdk/sdk/Cargo.toml"));
    manifest.is_ok_and(|text| text.contains("name = \"linkspan-sdk\""))
}

fn quoted(path: &Path) -> String {
    toml_string(&path.display().to_string())
}

/// A text as a basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_hold_anything() {
        assert_eq!(toml_string("/a \"b\"\\c"), r#""/a \"b\"\\c""#);
    }

    #[test]
    fn the_version_is_that_of_the_program_without_its_last_number() {
        assert_eq!(
            Sdk::find(Some("version"), Path::new("/")).unwrap().sdk,
            "\"0.1\""
        );
        assert_eq!(
            Sdk::find(Some("version=1.2.3"), Path::new("/"))
                .unwrap()
                .testkit,
            "\"1.2.3\""
        );
    }

    #[test]
    fn a_folder_of_packages_must_hold_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let asked = format!("vendored={}", folder.path().display());
        for package in [
            "linkspan-abi-1.0.0",
            "linkspan-derive-0.1.0",
            "linkspan-sdk",
        ] {
            fs::create_dir(folder.path().join(package)).unwrap();
            fs::write(folder.path().join(package).join("Cargo.toml"), "").unwrap();
        }
        let failure = Sdk::find(Some(&asked), Path::new("/")).unwrap_err();
        assert!(
            failure
                .message
                .contains("holds no package linkspan-testkit"),
            "{failure:?}"
        );
        let testkit = folder.path().join("linkspan-testkit-0.1.0");
        fs::create_dir(&testkit).unwrap();
        fs::write(testkit.join("Cargo.toml"), "").unwrap();
        let sdk = Sdk::find(Some(&asked), Path::new("/")).unwrap();
        assert_eq!(sdk.sdk, "\"0.1\"");
        assert_eq!(
            sdk.patch
                .lines()
                .filter(|line| line.contains("path = "))
                .count(),
            4,
            "{}",
            sdk.patch
        );
        assert!(sdk.cargo_config.is_none());
        fs::write(testkit.join(".cargo-checksum.json"), "{}").unwrap();
        let sdk = Sdk::find(Some(&asked), Path::new("/")).unwrap();
        assert!(
            sdk.cargo_config
                .unwrap()
                .contains("replace-with = \"vendored\"")
        );
    }

    #[test]
    fn another_way_is_refused() {
        for asked in ["git", "vendored", "path=/nowhere/at/all"] {
            assert!(Sdk::find(Some(asked), Path::new("/")).is_err(), "{asked}");
        }
    }
}
