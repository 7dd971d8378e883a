//! `export_plugin!`.

/// Makes the crate a plugin: exports its classes under the names that `connector:` and `type:` use.
///
/// The plugin's name and version are its crate's. After a class's name, in braces or parentheses, may stand `aliases: ["…"]`,
/// `connector: Type` (a [`SourceConnector`](crate::SourceConnector) or [`SinkConnector`](crate::SinkConnector)),
/// `features: ["…"]` and `docs: "…"` (the default is the documentation of the options). Features that the host knows: `fenced`
/// (two instances of a task may overlap, since the class fences the older one), `unbounded` (a source that never ends by itself),
/// `keys` (a source whose records have keys without any option for it), `predicate` (a transform that only says which records are
/// meant, by keeping them; it is used under `predicates:`) and `transactions` (a source that says where its transactions end, see
/// [`BatchBuilder::transaction_goes_on`](crate::BatchBuilder::transaction_goes_on)).
///
/// Exactly one symbol leaves the library. Use the macro once, in the crate's root.
///
/// # Examples
/// ```
/// # use linkspan_sdk::prelude::*;
/// # struct Ticks; struct TicksConnector;
/// # impl SourceTask for Ticks {
/// #     type Options = ();
/// #     async fn open(_: (), _: SourceContext) -> Result<Self> { Ok(Self) }
/// #     async fn poll(&mut self, _: &mut BatchBuilder) -> Result<Poll> { Ok(Poll::Exhausted) }
/// # }
/// # impl SourceConnector for TicksConnector { type Options = (); }
/// export_plugin! {
///     sources: [Ticks as "tick-source" {
///         aliases: ["TickSource"],
///         connector: TicksConnector,
///         features: ["fenced"],
///     }],
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_plugin {
    ($($kind:ident: [$($task:ty as $name:literal $(($($paren:tt)*))? $({$($brace:tt)*})?),* $(,)?]),* $(,)?) => {
        const _: () = {
            fn make() -> $crate::__private::abi::Plugin_Ref {
                $crate::__private::make_plugin($crate::__private::PluginDef::new(
                    ::core::env!("CARGO_PKG_NAME"),
                    ::core::env!("CARGO_PKG_VERSION"),
                    ::std::vec![$($(
                        $crate::__class!(
                            $kind ($crate::__class!(@new $kind $task, $name));
                            $($($paren)*)? $($($brace)*)?
                        )
                    ),*),*],
                ))
            }
            $crate::__private::abi::export_root!(make);
        };
    };
}

/// Makes one class of a plugin.
#[doc(hidden)]
#[macro_export]
macro_rules! __class {
    (@new sources $task:ty, $name:literal) => { $crate::__private::Class::source::<$task>($name) };
    (@new sinks $task:ty, $name:literal) => { $crate::__private::Class::sink::<$task>($name) };
    (@new transforms $task:ty, $name:literal) => { $crate::__private::Class::transform::<$task>($name) };
    (@new $kind:ident $task:ty, $name:literal) => {
        ::core::compile_error!("a plugin has `sources`, `sinks` and `transforms`")
    };
    ($kind:ident ($class:expr);) => { $class };
    ($kind:ident ($class:expr); aliases: [$($word:literal),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::__class!($kind ($class.aliases(&[$($word),*])); $($($rest)*)?)
    };
    ($kind:ident ($class:expr); features: [$($word:literal),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::__class!($kind ($class.features(&[$($word),*])); $($($rest)*)?)
    };
    ($kind:ident ($class:expr); docs: $docs:literal $(, $($rest:tt)*)?) => {
        $crate::__class!($kind ($class.docs($docs)); $($($rest)*)?)
    };
    (sources ($class:expr); connector: $connector:ty $(, $($rest:tt)*)?) => {
        $crate::__class!(sources ($class.source_connector::<$connector>()); $($($rest)*)?)
    };
    (sinks ($class:expr); connector: $connector:ty $(, $($rest:tt)*)?) => {
        $crate::__class!(sinks ($class.sink_connector::<$connector>()); $($($rest)*)?)
    };
}
