//! Task factories: the user's own way of making tasks (`loop.set_task_factory`).

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::LoopCore;

/// Calls a task factory as asyncio does: the name is set afterwards, the context passed if given.
pub fn from_factory(
    slf: &Bound<'_, LoopCore>,
    factory: &Py<PyAny>,
    coro: Bound<'_, PyAny>,
    keywords: &Bound<'_, PyDict>,
) -> PyResult<Py<PyAny>> {
    let py = slf.py();
    if py.version_info() >= (3, 14) {
        return factory.call(py, (slf, coro), Some(keywords));
    }
    let name = keywords.get_item("name")?;
    for optional in ["name", "context"] {
        let given = keywords.get_item(optional)?;
        if given.is_some_and(|value| optional == "name" || value.is_none()) {
            keywords.del_item(optional)?;
        }
    }
    let task = factory.call(py, (slf, coro), Some(keywords))?;
    if let Some(name) = name.filter(|name| !name.is_none()) {
        task.call_method1(py, "set_name", (name,))?;
    }
    Ok(task)
}
