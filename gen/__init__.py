# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator. It reads the declarations in idl/, and writes every file that is generated from
these declarations.

- model: the classes that the outputs read: types, errors, events, operations
- load: reads IDL files into a model (an error is `file:line: message`, never a traceback)
- check: finds the mistakes that no single constructor can see: names, documentation, references
- outputs: the list of outputs; each is one module (or package) with `outputs(model)`
"""
