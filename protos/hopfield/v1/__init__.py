"""Version 1 of the wire: the messages and stubs generated from the .proto files beside this one."""
