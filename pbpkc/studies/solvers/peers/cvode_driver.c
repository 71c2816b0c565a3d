/* CVODE on generated equations: the loop over subjects, stretches and times in C.
 *
 * EQUATIONS is the file of the equations. With KLU the headers of an installed SUNDIALS (6 or later) are
 * used; without it what is needed is declared here as SUNDIALS 7 has it, with int as its index type: the
 * libraries inside the wheel of scikit-sundae come without headers. DENSE takes dense matrices. SUNDIALS is
 * taken to be built for doubles, as it is wherever nobody asked for something else.
 */

#include EQUATIONS

#ifdef KLU
#include <cvode/cvode.h>
#include <nvector/nvector_serial.h>
#include <sunlinsol/sunlinsol_dense.h>
#include <sunlinsol/sunlinsol_klu.h>
#include <sunmatrix/sunmatrix_dense.h>
#include <sunmatrix/sunmatrix_sparse.h>
#if SUNDIALS_VERSION_MAJOR < 7
#define SUN_COMM_NULL NULL
#endif
#else
typedef int sunindextype;
typedef struct opaque_vector *N_Vector;
typedef struct opaque_matrix *SUNMatrix;
typedef struct opaque_solver *SUNLinearSolver;
typedef struct opaque_context *SUNContext;
enum { CV_BDF = 2, CV_NORMAL = 1, CSC_MAT = 0, SUN_COMM_NULL = 0 };
int SUNContext_Create(int comm, SUNContext *context);
int SUNContext_Free(SUNContext *context);
N_Vector N_VNew_Serial(sunindextype length, SUNContext context);
double *N_VGetArrayPointer(N_Vector v);
void N_VDestroy(N_Vector v);
SUNMatrix SUNDenseMatrix(sunindextype rows, sunindextype columns, SUNContext context);
double *SUNDenseMatrix_Data(SUNMatrix matrix);
SUNMatrix SUNSparseMatrix(sunindextype rows, sunindextype columns, sunindextype entries, int kind, SUNContext);
double *SUNSparseMatrix_Data(SUNMatrix matrix);
sunindextype *SUNSparseMatrix_IndexPointers(SUNMatrix matrix);
sunindextype *SUNSparseMatrix_IndexValues(SUNMatrix matrix);
void SUNMatDestroy(SUNMatrix matrix);
SUNLinearSolver SUNLinSol_Dense(N_Vector y, SUNMatrix matrix, SUNContext context);
SUNLinearSolver SUNLinSol_SuperLUMT(N_Vector y, SUNMatrix matrix, int threads, SUNContext context);
int SUNLinSolFree(SUNLinearSolver solver);
void *CVodeCreate(int method, SUNContext context);
int CVodeInit(void *memory, int (*f)(double, N_Vector, N_Vector, void *), double t0, N_Vector y0);
int CVodeReInit(void *memory, double t0, N_Vector y0);
int CVodeSStolerances(void *memory, double rtol, double atol);
int CVodeSetUserData(void *memory, void *data);
int CVodeSetMaxNumSteps(void *memory, long int steps);
int CVodeSetLinearSolver(void *memory, SUNLinearSolver solver, SUNMatrix matrix);
int CVodeSetJacFn(void *memory, int (*jacobian)(double, N_Vector, N_Vector, SUNMatrix, void *, N_Vector,
                                                N_Vector, N_Vector));
int CVode(void *memory, double until, N_Vector y, double *reached, int task);
void CVodeFree(void **memory);
#endif

/* What the equations read besides time and states, and the structure of the matrix. */
typedef struct {
    const double *p, *u, *c;
    const int *pointers, *rows, *place;
} Data;

static int derivative(double t, N_Vector y, N_Vector dy, void *given)
{
    const Data *data = given;
    rhs(t, N_VGetArrayPointer(y), data->p, data->u, data->c, N_VGetArrayPointer(dy));
    return 0;
}

static int slopes(double t, N_Vector y, N_Vector dy, SUNMatrix matrix, void *given, N_Vector a, N_Vector b,
                  N_Vector c)
{
    const Data *data = given;
    double values[ENTRIES > 0 ? ENTRIES : 1];
    (void)dy, (void)a, (void)b, (void)c;
    jacobian(t, N_VGetArrayPointer(y), data->p, data->u, data->c, values);
#ifdef DENSE
    /* CVODE has set it to zero. */
    double *entries = SUNDenseMatrix_Data(matrix);
    for (int k = 0; k < ENTRIES; k++)
        entries[data->place[k]] = values[k];
#else
    double *entries = SUNSparseMatrix_Data(matrix);
    sunindextype *pointers = SUNSparseMatrix_IndexPointers(matrix);
    sunindextype *rows = SUNSparseMatrix_IndexValues(matrix);
    for (int j = 0; j <= STATES; j++)
        pointers[j] = data->pointers[j];
    for (int k = 0; k < ENTRIES; k++) {
        rows[k] = data->rows[k];
        entries[data->place[k]] = values[k];
    }
#endif
    return 0;
}

/* Solves all subjects; found is (subjects, times, STATES). Gives how many could not be solved: their values
 * are left as they were. grid holds the times of every stretch one after the other, its begin first;
 * grid_from[g] is where stretch g begins in it, taken[g] how many of its times are wanted, behind the begin.
 */
int solve_all(int subjects, int times, const double *p, int wide, const double *c, int held, const double *start,
              int stretches, const double *jump, const double *u, int inputs, const double *grid,
              const int *grid_from, const int *taken, double rtol, double atol, const int *pointers,
              const int *rows, const int *place, double *found)
{
    SUNContext context;
    if (SUNContext_Create(SUN_COMM_NULL, &context) != 0)
        return -1;
    Data data = {0, 0, 0, pointers, rows, place};
    N_Vector y = N_VNew_Serial(STATES, context);
    double *values = N_VGetArrayPointer(y);
    for (int i = 0; i < STATES; i++)
        values[i] = 0.0;
    void *memory = CVodeCreate(CV_BDF, context);
#ifdef DENSE
    SUNMatrix matrix = SUNDenseMatrix(STATES, STATES, context);
    SUNLinearSolver solver = SUNLinSol_Dense(y, matrix, context);
#else
    SUNMatrix matrix = SUNSparseMatrix(STATES, STATES, ENTRIES, CSC_MAT, context);
#ifdef KLU
    SUNLinearSolver solver = SUNLinSol_KLU(y, matrix, context);
#else
    SUNLinearSolver solver = SUNLinSol_SuperLUMT(y, matrix, 1, context);
#endif
#endif
    int lost = 0;
    if (memory == 0 || CVodeInit(memory, derivative, 0.0, y) != 0 || CVodeSStolerances(memory, rtol, atol) != 0 ||
        CVodeSetUserData(memory, &data) != 0 || CVodeSetMaxNumSteps(memory, 100000) != 0 || solver == 0 ||
        CVodeSetLinearSolver(memory, solver, matrix) != 0 || CVodeSetJacFn(memory, slopes) != 0)
        lost = -1;
    for (int n = 0; n < subjects && lost >= 0; n++) {
        double *to = found + (long)n * times * STATES;
        data.p = p + (long)n * wide;
        data.c = c + (long)n * held;
        for (int i = 0; i < STATES; i++)
            values[i] = start[(long)n * STATES + i];
        int failed = 0;
        for (int g = 0; g < stretches && !failed; g++) {
            const double *at = grid + grid_from[g];
            int length = grid_from[g + 1] - grid_from[g];
            double reached;
            data.u = u + g * inputs;
            for (int i = 0; i < STATES; i++)
                values[i] += jump[g * STATES + i];
            failed = CVodeReInit(memory, at[0], y) != 0;
            for (int k = 1; k < length && !failed; k++) {
                failed = CVode(memory, at[k], y, &reached, CV_NORMAL) < 0;
                if (k <= taken[g]) {
                    for (int i = 0; i < STATES; i++)
                        to[i] = values[i];
                    to += STATES;
                }
            }
        }
        lost += failed;
    }
    CVodeFree(&memory);
    if (solver != 0)
        SUNLinSolFree(solver);
    SUNMatDestroy(matrix);
    N_VDestroy(y);
    SUNContext_Free(&context);
    return lost;
}
