"""The paper's design choices: one module for each, one class for each option, one folder of the
same name in conf/."""
