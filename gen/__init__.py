# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator: reads what exists from idl/ and writes everything that follows from it.

- model: the classes an output sees: types, errors, events, operations
- load: reads IDL files into a model (file:line: message, never a traceback)
- check: what no single constructor can see: names, documentation, references
- outputs: the list of outputs; each is one module (or package) with `outputs(model)`
"""
