# `make install`: two programs, and what a machine without the sources wants to read. Nothing else is needed to run: the
# XDP program lies inside the binary.
install(TARGETS weir weirctl RUNTIME DESTINATION bin)
install(FILES README.md CHANGELOG.md LICENSE conf/reference.toml conf/weir.service DESTINATION share/doc/weir)
install(DIRECTORY docs/ DESTINATION share/doc/weir/docs FILES_MATCHING PATTERN "*.md")
