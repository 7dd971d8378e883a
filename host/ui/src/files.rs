//! Every file of `web/` but its notes; a test compares this list with the folder.

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        /// Paths below `/ui/` and bytes.
        pub(crate) const FILES: &[(&str, &[u8])] = &[
            $(($path, include_bytes!(concat!("../web/", $path)).as_slice()),)*
        ];
    };
}

files! {
    "i18n/en.js",
    "i18n/ko.js",
    "icon.svg",
    "index.html",
    "lib/api.js",
    "lib/format.js",
    "lib/h.js",
    "lib/i18n.js",
    "lib/live.js",
    "lib/load.js",
    "lib/role.js",
    "lib/route.js",
    "lib/settings.js",
    "lib/yaml.js",
    "main.js",
    "pages/connector.js",
    "pages/create.js",
    "pages/fleet.js",
    "pages/graph.js",
    "pages/groups.js",
    "pages/host.js",
    "pages/letters.js",
    "pages/logs.js",
    "pages/offsets.js",
    "pages/plugins.js",
    "pages/runs.js",
    "pages/topics.js",
    "parts/act.js",
    "parts/acts.js",
    "parts/basic.js",
    "parts/bytes.js",
    "parts/chart.js",
    "parts/dialog.js",
    "parts/icons.js",
    "parts/options.js",
    "parts/rows.js",
    "parts/steps.js",
    "style/base.css",
    "style/pages.css",
    "style/parts.css",
    "vendor/LICENSE-htm.txt",
    "vendor/LICENSE-preact.txt",
    "vendor/hooks.js",
    "vendor/htm.js",
    "vendor/preact.js",
}
