# Reads the preprocessed cuda.h and writes a C file that defines every function declared in it. Each
# definition looks up the function of the same name in the driver's library when it is first called,
# and calls that. So a program starts on a machine without a driver, and learns of the lack when it
# first calls the driver.
BEGIN {
	print "#include <dlfcn.h>"
	print "#include <cuda.h>"
	print "static void *find(const char *name, CUresult *why)"
	print "{"
	print "\tvoid *driver = dlopen(\"libcuda.so.1\", RTLD_NOW), *f = driver ? dlsym(driver, name) : 0;"
	print "\t*why = driver ? CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND : CUDA_ERROR_SHARED_OBJECT_INIT_FAILED;"
	print "\treturn f;"
	print "}"
	RS = ";"
}
/^[ \n]*CUresult cu[A-Za-z0-9_]*\(/ {
	gsub(/[ \n\t]+/, " ")
	sub(/^ /, "")
	match($0, /cu[A-Za-z0-9_]*\(/)
	name = substr($0, RSTART, RLENGTH - 1)
	params = substr($0, RSTART + RLENGTH, length($0) - RSTART - RLENGTH)
	n = split(params, p, ",")
	args = ""
	for (i = 1; i <= n; i++) {
		sub(/ *\[[^]]*\] *$/, "", p[i])
		if (match(p[i], /[A-Za-z_0-9]+ *$/) && params != "void") args = args (i > 1 ? ", " : "") substr(p[i], RSTART)
	}
	printf "CUresult %s(%s)\n{\n\tstatic CUresult (*f)(%s);\n\tCUresult why;\n", name, params, params
	printf "\tif (!__atomic_load_n(&f, __ATOMIC_ACQUIRE)) {\n\t\tvoid *found = find(\"%s\", &why);\n\t\tif (!found) return why;\n", name
	printf "\t\t__atomic_store_n(&f, (CUresult (*)(%s))found, __ATOMIC_RELEASE);\n\t}\n\treturn f(%s);\n}\n", params, args
}
