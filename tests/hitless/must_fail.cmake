# Runs PROGRAM with ARGUMENTS (a list), which has to fail by its own judgement and to say SAYING.
execute_process(COMMAND ${PROGRAM} ${ARGUMENTS} OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE code TIMEOUT 280)
message("${out}")
if(NOT code STREQUAL "1")
  message(FATAL_ERROR "it ends with ${code} and not with 1")
endif()
if(NOT out MATCHES "hitless: ${SAYING}")
  message(FATAL_ERROR "it does not say \"${SAYING}\"")
endif()
