//! What the registry answers. Fields that are not needed are not read.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct SchemaAnswer {
    pub(crate) schema: String,
    #[serde(default, rename = "schemaType")]
    pub(crate) schema_type: Option<String>,
    /// Some registries write `null` where there are none.
    #[serde(default)]
    pub(crate) references: Option<Vec<Reference>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Reference {
    /// The name by which the schema uses it: a record's in Avro, a document's in JSON Schema.
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) version: i32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct VersionAnswer {
    pub(crate) id: i32,
    pub(crate) version: i32,
    schema: String,
    #[serde(default, rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
}

impl VersionAnswer {
    pub(crate) fn into_schema(self) -> SchemaAnswer {
        SchemaAnswer {
            schema: self.schema,
            schema_type: self.schema_type,
            references: self.references,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Registered {
    pub(crate) id: i32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ErrorAnswer {
    #[serde(default)]
    pub(crate) error_code: i64,
    #[serde(default)]
    pub(crate) message: String,
}
