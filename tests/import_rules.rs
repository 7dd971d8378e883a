//! Who may import whom: the workspace's own rules, read from `cargo metadata` and from the sources.
//!
//! The rules and their reasons stand in `host/ARCHITECTURE.md`, "Who may import whom".
//! Each check also runs against a made-up breach, so that a rule that can no longer fail is noticed.

#[cfg(test)]
mod rules {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use cargo_metadata::{
        CrateType, DependencyKind, Metadata, MetadataCommand, Package, TargetKind,
    };

    /// The packages that each package may name in `[dependencies]`, among our own.
    const EDGES: &[(&str, &[&str])] = &[
        ("linkspan-abi", &[]),
        ("linkspan-derive", &[]),
        ("linkspan-sdk", &["linkspan-abi", "linkspan-derive"]),
        ("linkspan-testkit", &["linkspan-sdk", "linkspan-abi"]),
        ("linkspan-types", &[]),
        ("linkspan-wire", &["linkspan-types"]),
        ("linkspan-log", &["linkspan-types", "linkspan-wire"]),
        ("linkspan-plugin", &["linkspan-types", "linkspan-abi"]),
        ("linkspan-convert", &["linkspan-types", "linkspan-plugin"]),
        ("linkspan-config", &["linkspan-types"]),
        ("linkspan-registry", &[]),
        ("linkspan-ui", &[]),
        (
            "linkspan-runtime",
            &[
                "linkspan-types",
                "linkspan-wire",
                "linkspan-log",
                "linkspan-plugin",
                "linkspan-convert",
                "linkspan-registry",
            ],
        ),
        (
            "linkspan-rest",
            &[
                "linkspan-types",
                "linkspan-wire",
                "linkspan-log",
                "linkspan-ui",
            ],
        ),
        (
            "linkspan",
            &[
                "linkspan-types",
                "linkspan-wire",
                "linkspan-log",
                "linkspan-plugin",
                "linkspan-convert",
                "linkspan-runtime",
                "linkspan-config",
                "linkspan-rest",
            ],
        ),
    ];
    /// Nothing imports these; they may import anything.
    const PROGRAMS_OF_TESTS: &[&str] = &["linkspan-benches", "linkspan-log-kill"];
    const CONNECTOR: &[&str] = &["linkspan-sdk"];
    const CONNECTOR_TESTS: &[&str] = &["linkspan-sdk", "linkspan-testkit"];

    /// Foreign packages that only these packages of ours may name, tests included.
    const FOREIGN: &[(&str, &[&str])] = &[
        ("abi_stable", &["linkspan-abi", "linkspan-plugin"]),
        ("libloading", &["linkspan-plugin"]),
        ("goblin", &["linkspan-plugin"]),
        ("serde_yaml", &["linkspan-config"]),
        // Two servers: the host's, and the listener of webhooks, which the benchmark is compared with.
        (
            "axum",
            &[
                "linkspan",
                "linkspan-rest",
                "linkspan-connector-http",
                "linkspan-benches",
            ],
        ),
    ];
    /// Packages without an async runtime: bytes in, bytes out.
    const NO_TOKIO: &[&str] = &[
        "linkspan-types",
        "linkspan-wire",
        "linkspan-convert",
        "linkspan-config",
        "linkspan-abi",
        "linkspan-derive",
    ];

    /// Where `unsafe` may stand, relative to the root.
    const UNSAFE: &[&str] = &[
        "sdk/abi/",
        "sdk/sdk/src/export",
        "host/plugin/",
        "host/log/src/syscall",
        // Unit tests only: a counting allocator shows what a decoder asks for.
        "host/log/src/tests/fuzz/allocator",
    ];

    #[test]
    fn packages_import_only_what_their_layer_may() {
        let packages = packages();
        assert_eq!(breaches_of_edges(&packages), Vec::<String>::new());

        let mut broken = packages;
        let sdk = find(&mut broken, "linkspan-sdk")
            .dependencies
            .iter()
            .find(|d| d.name == "linkspan-abi")
            .unwrap()
            .clone();
        find(&mut broken, "linkspan-connector-file")
            .dependencies
            .push(sdk);
        assert_eq!(
            breaches_of_edges(&broken),
            ["linkspan-connector-file imports linkspan-abi"]
        );
    }

    #[test]
    fn heavy_or_dangerous_packages_stay_in_their_crate() {
        let packages = packages();
        assert_eq!(breaches_of_foreign(&packages), Vec::<String>::new());

        let mut broken = packages;
        let loader = find(&mut broken, "linkspan-plugin")
            .dependencies
            .iter()
            .find(|d| d.name == "libloading")
            .unwrap()
            .clone();
        find(&mut broken, "linkspan-runtime")
            .dependencies
            .push(loader);
        assert_eq!(
            breaches_of_foreign(&broken),
            ["linkspan-runtime names libloading"]
        );
    }

    /// Plugins that are built when asked for, so that a clean `cargo run` stays short.
    const SLOW_TO_BUILD: [&str; 2] = ["linkspan-connector-columnar", "linkspan-connector-kafka"];

    #[test]
    fn cargo_run_finds_one_program_and_the_plugins() {
        let metadata = metadata();
        let defaults = metadata.workspace_default_packages();
        let binaries: Vec<&str> = defaults
            .iter()
            .flat_map(|package| &package.targets)
            .filter(|target| target.kind.contains(&TargetKind::Bin))
            .map(|target| target.name.as_str())
            .collect();
        assert_eq!(binaries, ["linkspan"]);
        for connector in metadata
            .workspace_packages()
            .into_iter()
            .filter(|package| is_connector(package))
        {
            assert_eq!(
                defaults.iter().any(|package| package.id == connector.id),
                !SLOW_TO_BUILD.contains(&connector.name.as_str()),
                "{} among the default members",
                connector.name
            );
            let library = connector
                .targets
                .iter()
                .find(|target| target.kind.contains(&TargetKind::CDyLib))
                .unwrap();
            assert_eq!(
                library.crate_types,
                [CrateType::CDyLib],
                "{} is a cdylib only",
                connector.name
            );
        }
    }

    #[test]
    fn unsafe_code_stands_only_where_it_must() {
        let keyword = concat!("un", "safe");
        let breach = |path: &str, source: &str| {
            !UNSAFE.iter().any(|allowed| path.starts_with(allowed))
                && code(source).any(|line| has_word(line, keyword))
        };
        let found: Vec<String> = sources()
            .into_iter()
            .filter(|(path, text)| breach(path, text))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(found, Vec::<String>::new());
        assert!(breach(
            "host/wire/src/lib.rs",
            &format!("fn f() {{ {keyword} {{ g() }} }}")
        ));
        assert!(!breach(
            "host/wire/src/lib.rs",
            &format!("// {keyword} is for others\n#![deny({keyword}_code)]")
        ));
    }

    #[test]
    fn the_runtime_knows_the_trait_of_a_log_and_no_log() {
        let local = [
            "linkspan_log::local",
            "linkspan_log::open_local",
            "linkspan_log::Local",
            "DiskFs",
            "open_local(",
        ];
        let breach =
            |text: &str| code(text).any(|line| local.iter().any(|name| line.contains(name)));
        let runtime = sources()
            .into_iter()
            .filter(|(path, _)| path.starts_with("host/runtime/src/") && !is_test(path));
        let found: Vec<String> = runtime
            .filter(|(_, text)| breach(text))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(found, Vec::<String>::new());
        assert!(breach("use linkspan_log::open_local;"));
    }

    #[test]
    fn the_sdk_is_the_only_line_a_plugin_needs() {
        let acme = fs::read_to_string(root().join("tests/plugins/acme/Cargo.toml")).unwrap();
        let (_, after) = acme.split_once("[dependencies]").unwrap();
        let lines: Vec<&str> = after
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with('['))
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(lines, [r#"linkspan-sdk = "0.1""#]);
        let source = fs::read_to_string(root().join("tests/plugins/acme/src/lib.rs")).unwrap();
        assert!(
            source.lines().count() < 100,
            "the example plugin has {} lines",
            source.lines().count()
        );
    }

    /// `[hidden]`, and no other: who looks for it in an output finds all of them, and no input takes it for a secret.
    #[test]
    fn one_word_stands_in_the_place_of_a_secret() {
        let stars = concat!("**", "*");
        let breach = |path: &str, source: &str| {
            // What MaskField makes of a record is its user's matter.
            !path.starts_with("host/convert/src/transform/mask.rs")
                && code(source).any(|line| {
                    let before = line.find(stars).and_then(|at| line.get(..at));
                    before.is_some_and(|before| before.matches('"').count() % 2 == 1)
                })
        };
        let found: Vec<String> = sources()
            .into_iter()
            .filter(|(path, text)| !path.starts_with("tests/") && breach(path, text))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(found, Vec::<String>::new());
        let made_up = format!("f.write_str(\"a {stars}\")");
        assert!(breach("host/rest/src/lib.rs", &made_up));
        assert!(!breach("host/rest/src/lib.rs", "seen == ***known"));
    }

    #[test]
    fn no_file_names_a_folder_of_one_machine() {
        let prefixes = [
            concat!("/wo", "rk/"),
            concat!("/ho", "me/"),
            concat!("/ro", "ot/"),
            concat!("/Us", "ers/"),
        ];
        let breach = |text: &str| prefixes.iter().any(|prefix| text.contains(prefix));
        let mut found = Vec::new();
        for path in files(&root()) {
            let bytes = fs::read(&path).unwrap();
            if breach(&String::from_utf8_lossy(&bytes)) {
                found.push(relative(&path));
            }
        }
        assert_eq!(found, Vec::<String>::new());
        assert!(breach(&format!("path = \"{}x\"", prefixes[0])));
    }

    fn breaches_of_edges(packages: &[Package]) -> Vec<String> {
        let table: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
        let mut breaches = Vec::new();
        for package in packages
            .iter()
            .filter(|package| !PROGRAMS_OF_TESTS.contains(&package.name.as_str()))
        {
            let connector = is_connector(package);
            let Some(normal) = (if connector {
                Some(CONNECTOR)
            } else {
                table.get(package.name.as_str()).copied()
            }) else {
                breaches.push(format!(
                    "{} has no line in the table of this test",
                    package.name
                ));
                continue;
            };
            for dependency in package
                .dependencies
                .iter()
                .filter(|d| d.name.starts_with("linkspan"))
            {
                let may = match dependency.kind {
                    DependencyKind::Development if connector => {
                        CONNECTOR_TESTS.contains(&dependency.name.as_str())
                    }
                    // A test of a host or sdk crate may use more, but never a connector, except the program's own tests.
                    DependencyKind::Development => {
                        package.name.as_str() == "linkspan"
                            || !dependency.name.starts_with("linkspan-connector-")
                    }
                    _ => normal.contains(&dependency.name.as_str()),
                };
                if !may {
                    breaches.push(format!("{} imports {}", package.name, dependency.name));
                }
            }
        }
        breaches
    }

    fn breaches_of_foreign(packages: &[Package]) -> Vec<String> {
        let mut breaches = Vec::new();
        for package in packages {
            let name = package.name.as_str();
            for dependency in &package.dependencies {
                let shown = dependency.rename.as_deref().unwrap_or(&dependency.name);
                let limited = FOREIGN
                    .iter()
                    .find(|(foreign, _)| *foreign == shown || *foreign == dependency.name);
                let for_tests = dependency.kind == DependencyKind::Development;
                let forbidden = limited
                    .is_some_and(|(_, owners)| !owners.contains(&name) && !for_tests)
                    || (dependency.name == "tokio" && NO_TOKIO.contains(&name) && !for_tests);
                if forbidden {
                    breaches.push(format!("{name} names {shown}"));
                }
            }
        }
        breaches
    }

    fn metadata() -> Metadata {
        MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .no_deps()
            .exec()
            .unwrap()
    }

    fn packages() -> Vec<Package> {
        metadata().packages
    }

    fn find<'a>(packages: &'a mut [Package], name: &str) -> &'a mut Package {
        packages
            .iter_mut()
            .find(|package| package.name.as_str() == name)
            .unwrap()
    }

    fn is_connector(package: &Package) -> bool {
        package.name.starts_with("linkspan-connector-")
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .unwrap()
    }

    fn relative(path: &Path) -> String {
        path.strip_prefix(root()).unwrap().display().to_string()
    }

    /// Every Rust source of the workspace, path and text.
    fn sources() -> Vec<(String, String)> {
        let rust = files(&root())
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        rust.map(|path| (relative(&path), fs::read_to_string(&path).unwrap()))
            .collect()
    }

    /// Every file that is not made by a build or a run.
    fn files(folder: &Path) -> Vec<PathBuf> {
        const MADE: &[&str] = &["target", ".git", "linkspan-data", "out"];
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_symlink() || MADE.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                found.extend(files(&path))
            } else {
                found.push(path)
            }
        }
        found
    }

    fn is_test(path: &str) -> bool {
        path.ends_with("/tests.rs") || path.contains("/tests/")
    }

    /// The lines of a source without whole-line comments and without attributes.
    fn code(source: &str) -> impl Iterator<Item = &str> {
        source.lines().map(str::trim).filter(|line| {
            !line.starts_with("//") && !line.starts_with("#[") && !line.starts_with("#![")
        })
    }

    fn has_word(line: &str, word: &str) -> bool {
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|part| part == word)
    }
}
